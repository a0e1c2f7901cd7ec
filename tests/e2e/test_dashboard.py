"""Each query of the dashboard finds something in a real Prometheus after a real run."""

import math

import pytest

from tests.e2e.watched import Watched
from tests.fixtures.monitoring import alerts, queries
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(300)


def as_grafana_asks(expression: str) -> str:
    """Put in what Grafana puts in: here all goes faster."""
    return expression.replace("$__rate_interval", "10s").replace("$__range", "2m")


async def test_every_panel_shows_something(watched: Watched) -> None:
    # Marks of the dashboard need something to mark: a start, and an alert.
    pid = watched.up.kill_part("worker")
    await watched.up.replaces("worker", pid)
    with watched.frozen("valkey"):
        await watched.prometheus.fires("TocsinRedisDown")
    asked = {(query.panel, as_grafana_asks(query.expression)) for query in queries()}
    unanswered = set(asked)

    async def ask_again() -> bool:
        for panel, expression in sorted(unanswered):
            samples = await watched.prometheus.ask(f"last_over_time(({expression})[2m:500ms])")
            if any(not math.isnan(float(sample["value"][1])) for sample in samples):
                unanswered.discard((panel, expression))
        assert not unanswered
        return True

    await eventually(ask_again, 60, every=1)
    assert len(asked) > 40


async def test_every_alert_can_be_asked_for(watched: Watched) -> None:
    for alert in alerts():
        await watched.prometheus.ask(alert.expression)
