"""Prometheus beside it: it finds every container, and forgets those that are gone."""

from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.waiting import eventually


@pytest.fixture
def prometheus(stack: Stack) -> Iterator[str]:
    stack.up("--no-recreate", "prometheus")
    yield f"http://{stack.address('prometheus', 9090)}"
    stack.up("--no-recreate")
    stack.compose("rm", "--stop", "--force", "prometheus")


async def test_it_follows_the_number_of_containers(stack: Stack, prometheus: str, http: httpx2.AsyncClient) -> None:
    async def are_watched(**expected: int) -> None:
        async def probe() -> bool:
            answer = (await http.get(f"{prometheus}/api/v1/query", params={"query": "up == 1"})).json()
            found = Counter(sample["metric"]["job"] for sample in answer["data"]["result"])
            assert {job: found[f"tocsin-{job}"] for job in expected} == expected
            return True

        await eventually(probe, 90, every=1)

    await are_watched(api=1, worker=1)
    stack.up("--no-recreate", "--scale", "worker=3")
    await are_watched(api=1, worker=3)
    stack.up("--no-recreate")
    await are_watched(api=1, worker=1)


async def test_its_rules_are_loaded(stack: Stack, prometheus: str, http: httpx2.AsyncClient) -> None:
    rules = (await http.get(f"{prometheus}/api/v1/rules")).json()["data"]["groups"]
    wanted = (stack.folder / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8").count("- alert:")

    assert sum(len(group["rules"]) for group in rules) >= wanted > 0
