"""What every ring may use: real servers, an empty database for each test, and the product built by its own root."""

import gc
import signal

# Each stands after what it imports, so that pytest rewrites the assertions of all.
pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.databases",
    "tests.fixtures.product",
    "tests.fixtures.calls",
    "tests.fixtures.clock",
    "tests.fixtures.limits",
    "tests.fixtures.live",
    "tests.fixtures.live_app",
]


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, even where a shell in the background has all its children ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: to look through it took a seventh of the tests' time."""
    gc.collect()
    gc.freeze()
