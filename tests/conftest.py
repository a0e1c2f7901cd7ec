"""What every ring may use: real servers, an empty database for each test, and the product built by its own root."""

pytest_plugins = [
    "tests.fixtures.databases",
    "tests.fixtures.http",
    "tests.fixtures.product",
    "tests.fixtures.servers",
]
