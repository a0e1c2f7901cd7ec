"""What every ring may use: real servers, an empty database for each test, and the product built by its own root."""

import signal

import pytest

from tests.fixtures.shares import arrange

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


@pytest.hookimpl(trylast=True)  # when those that were not asked for are out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have processes that share the work begin with what takes long."""
    if here := getattr(config, "workerinput", None):
        items[:] = arrange(items, here["workercount"])
