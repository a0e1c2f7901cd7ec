"""HTTP: routes, schemas and the shape of errors."""
