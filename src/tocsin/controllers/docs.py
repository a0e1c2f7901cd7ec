"""The OpenAPI document, and Swagger UI, served from a package so that it works without the internet."""

from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from tocsin.controllers import problem_examples, problems, rate_limits
from tocsin.controllers.dependencies import BEARER
from tocsin.controllers.v1.fields import JSON_VALUE_SCHEMA
from tocsin.controllers.v1.notification_schemas import JUDGED_EXAMPLE

# Swagger UI has images in its styles.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_WITHOUT_LIMITS: Final = frozenset({"401", "403", "500", "503"})

router = APIRouter(include_in_schema=False)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin API</title>
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<link rel="icon" href="docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
});
"""


def install(app: FastAPI) -> None:
    """Serve the documentation of ``app`` at ``/docs``."""
    app.include_router(router)
    app.mount("/docs/assets", _Assets(directory=str(files("fastapi_swagger") / "resources")))
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document["components"]["schemas"]
        schemas.update(problems.schemas(), JsonValue=JSON_VALUE_SCHEMA)
        # Here, since FastAPI leaves what is null out of the examples that it is given.
        schemas["NotificationOut"]["examples"] = [JUDGED_EXAMPLE]
        scheme = BEARER.model.model_dump(by_alias=True, exclude_none=True, mode="json")
        document["components"]["securitySchemes"] = {BEARER.scheme_name: scheme}
        _promise_rate_limits(document)
        _show_examples(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _promise_rate_limits(document: dict[str, Any]) -> None:
    """Add the headers to all answers of calls that are limited, but to those that come before or instead."""
    document["components"]["headers"] = rate_limits.HEADERS
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in rate_limits.HEADERS}
    for item in document["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                if "429" in operation["responses"] and status not in _WITHOUT_LIMITS:
                    response["headers"] = {**response.get("headers", {}), **references}


def _show_examples(document: dict[str, Any]) -> None:
    """Fill in paths, so that calls can be tried as they are, and show each problem as it is answered there."""
    for path, item in document["paths"].items():
        for operation in item.values():
            where = {}
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    # Swagger UI fills in this one, and none of those in the schema.
                    where[parameter["name"]] = parameter["example"] = parameter["schema"]["examples"][0]
            for status, response in operation["responses"].items():
                if problem := response.get("content", {}).get(problems.MEDIA_TYPE):
                    problem["example"] = problem_examples.make(int(status), path.format(**where))


class _Assets(StaticFiles):
    """Files that a browser keeps, and asks about."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - as it is called
        """Return the file, or that the browser has it."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


@router.get("/docs")
async def docs() -> Response:
    """Show the documentation."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Start Swagger UI; a file of its own, so that no inline script is needed."""
    return Response(_START, media_type="text/javascript")
