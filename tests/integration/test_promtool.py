"""What Prometheus' own tool says of what is told and of what is made of it."""

import subprocess

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.fixtures.calls import create
from tests.fixtures.monitoring import PROMETHEUS, RULE_TESTS, RULES, installed
from tocsin.telemetry import API, WORKER


def promtool(*arguments: str, standard_input: bytes = b"") -> None:
    done = subprocess.run(
        [installed("promtool"), *arguments], input=standard_input, capture_output=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), (done.stdout + done.stderr).decode()


def test_the_rules_are_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_the_configuration_is_one_and_finds_the_rules() -> None:
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_the_rules_do_as_their_tests_say() -> None:
    promtool("test", "rules", str(RULE_TESTS))


@pytest.mark.parametrize("registry", [API, WORKER], ids=["api", "worker"])
async def test_metrics_are_named_as_prometheus_would_have_it(
    api: httpx2.AsyncClient, registry: CollectorRegistry
) -> None:
    await create(api)

    promtool("check", "metrics", standard_input=generate_latest(registry))
