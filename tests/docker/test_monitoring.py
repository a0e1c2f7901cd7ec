"""Prometheus beside it: it finds every container, and forgets those that are gone. Grafana may read its files."""

import json
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from tests.docker.stack import Stack
from tests.waiting import eventually


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Iterator[str]:
    configuration = stack.folder / "deploy" / "prometheus" / "prometheus.yml"
    was = configuration.read_text("utf-8")
    configuration.write_text(was.replace("15s", "1s").replace("10s", "1s"))
    stack.up("--no-deps", "prometheus")
    yield f"http://{stack.address('prometheus', 9090)}"
    stack.compose("rm", "--stop", "--force", "prometheus")
    configuration.write_text(was)


async def test_it_follows_the_number_of_containers(stack: Stack, prometheus: str, http: httpx2.AsyncClient) -> None:
    async def are_watched(**expected: int) -> None:
        async def probe() -> bool:
            answer = (await http.get(f"{prometheus}/api/v1/query", params={"query": "up == 1"})).json()
            found = Counter(sample["metric"]["job"] for sample in answer["data"]["result"])
            assert {job: found[f"tocsin-{job}"] for job in expected} == expected
            return True

        await eventually(probe, 90, every=0.3)

    await are_watched(api=1, worker=1)
    stack.scale(worker=2)
    await are_watched(api=1, worker=2)
    stack.scale(worker=1)
    await are_watched(api=1, worker=1)


async def test_its_rules_are_loaded(stack: Stack, prometheus: str, http: httpx2.AsyncClient) -> None:
    rules = (await http.get(f"{prometheus}/api/v1/rules")).json()["data"]["groups"]
    wanted = (stack.folder / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8").count("- alert:")

    assert sum(len(group["rules"]) for group in rules) >= wanted > 0


def test_grafana_finds_its_files_and_its_password_where_it_looks(stack: Stack) -> None:
    # Another image in its place, as its user: what is tried is what compose.yaml hands to it.
    look = 'cat "$GF_SECURITY_ADMIN_PASSWORD__FILE"; cat "$GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"'
    run = ("--profile", "monitoring", "run", "--rm", "--no-deps", "--user", "472:0", "--entrypoint", "sh", "grafana")
    password = stack.execute("api", "cat", "/run/secrets/grafana_password")

    read = stack.compose(*run, "-c", look)
    files = stack.compose(*run, "-c", "cd /etc/grafana/provisioning && cat */*.yml && touch /tmp/x").splitlines()

    assert read.startswith(password)
    assert json.loads(read.removeprefix(password))["title"]
    assert files.count("apiVersion: 1") == 2
