"""What every ring may use: real servers, an empty database for each test, and the product built by its own root."""

# Each stands after what it imports, so that pytest rewrites the assertions of all.
pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.databases",
    "tests.fixtures.product",
    "tests.fixtures.calls",
    "tests.fixtures.limits",
    "tests.fixtures.live",
]
