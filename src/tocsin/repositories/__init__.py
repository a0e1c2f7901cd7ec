"""Every SQL statement, and the unit of work around them."""
