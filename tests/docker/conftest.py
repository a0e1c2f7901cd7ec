"""All of compose.yaml on a real engine, built once. Run by `make test-docker`."""

import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.e2e.api import Api
from tocsin.client import TocsinClient
from tocsin.embedded.ports import find_free_port

_SHOWN_LINES = 100


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these out of `make test`: they need an engine."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("docker")
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def variables() -> dict[str, str]:
    """What the tests set: names and ports of their own, and an AI that is quick."""
    mark = secrets.token_hex(3)
    return {
        "TOCSIN_IMAGE": f"tocsin-test-{mark}",
        "TOCSIN_PROXY_IMAGE": f"tocsin-proxy-test-{mark}",
        "GRAFANA_IMAGE": f"tocsin-test-{mark}",
        "TOCSIN_PUBLISH": f"127.0.0.1:{find_free_port('127.0.0.1')}",
        "PROMETHEUS_PUBLISH": f"127.0.0.1:{find_free_port('127.0.0.1')}",
        "TOCSIN_MOCK_AI__DELAY_MIN": "0.05",
        "TOCSIN_MOCK_AI__DELAY_MAX": "0.1",
    }


@pytest.fixture(scope="session")
def stack(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What a fresh clone becomes by the one command of the documents."""
    stack = Stack(variables["TOCSIN_IMAGE"], tmp_path_factory.mktemp("clone"), variables)
    try:
        stack.up("--quiet-pull")
        yield stack
    finally:
        stack.remove()
        stack.docker("image", "rm", "--force", variables["TOCSIN_IMAGE"], variables["TOCSIN_PROXY_IMAGE"])


@pytest.fixture(scope="session")
def url(variables: dict[str, str], stack: Stack) -> str:
    """Where the proxy is."""
    return f"http://{variables['TOCSIN_PUBLISH']}"


@pytest.fixture(scope="session")
def key(stack: Stack) -> str:
    return stack.make_key()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
def api(http: httpx2.AsyncClient, url: str, key: str) -> Api:
    """The API, through the proxy."""
    return Api(http, url, key)


@pytest.fixture
async def client(url: str, key: str) -> AsyncIterator[TocsinClient]:
    """The client of the product, through the proxy."""
    async with TocsinClient(url, key) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the containers said beside a failure."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("containers", stack.compose("ps", "--all")))
        report.sections.append(("health", stack.health()))
        report.sections.append(("logs", "\n".join(stack.logs().splitlines()[-_SHOWN_LINES:])))
    return report
