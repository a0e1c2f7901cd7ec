"""A real Prometheus that scrapes real processes, often."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.e2e.programs import WITHIN
from tests.fixtures.monitoring import RULES, installed, shortened
from tests.fixtures.no_tls import NO_TLS
from tests.waiting import eventually, until_blocking
from tocsin.embedded.ports import find_free_port
from tocsin.embedded.process import Command

_EVERY = "500ms"


class Prometheus:
    """Asks one server what it knows."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression, now; each has ``metric`` and ``value``."""
        answer = await self._http.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        data = answer.json()["data"]
        return list(data["result"]) if data["resultType"] == "vector" else [{"metric": {}, "value": data["result"]}]

    async def number(self, expression: str) -> float:
        """Return the one sample of an expression."""
        (sample,) = await self.ask(expression)
        return float(sample["value"][1])

    async def rules(self) -> list[dict[str, Any]]:
        """Return all rules with their health."""
        answer = (await self._http.get(f"{self.url}/api/v1/rules")).raise_for_status().json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    async def firing(self) -> dict[str, dict[str, Any]]:
        """Return an alert of each name that fires, by name."""
        return {alert["labels"]["alertname"]: alert for alert in await self._firing()}

    async def fires(self, name: str, within: float = WITHIN, *, job: str | None = None) -> dict[str, Any]:
        """Wait until an alert fires, of ``job`` if that is given, and return it."""

        async def probe() -> dict[str, Any]:
            firing = await self._firing()
            for alert in firing:
                if alert["labels"]["alertname"] == name and job in {None, alert["labels"].get("job")}:
                    return alert
            raise AssertionError(f"only {[alert['labels'] for alert in firing]} fire")

        return await eventually(probe, within, every=0.2)

    async def _firing(self) -> list[dict[str, Any]]:
        answer = (await self._http.get(f"{self.url}/api/v1/alerts")).raise_for_status().json()
        return [alert for alert in answer["data"]["alerts"] if alert["state"] == "firing"]

    async def resolves(self, name: str, within: float = WITHIN) -> None:
        """Wait until it does so no more."""

        async def probe() -> bool:
            assert name not in await self.firing()
            return True

        await eventually(probe, within, every=0.2)

    async def sees(self, job: str, count: int) -> None:
        """Wait until so many processes of a job answer it."""

        async def probe() -> bool:
            assert await self.number(f'sum(up{{job="{job}"}}) or vector(0)') == count
            return True

        await eventually(probe, WITHIN)


@contextmanager
def running(folder: Path, targets: Mapping[str, list[str]], factor: int) -> Iterator[str]:
    """Run a Prometheus on ``targets`` by job, with the rules shortened by ``factor``; yield its URL."""
    folder.mkdir()
    (folder / "alerts.yml").write_text(shortened(RULES.read_text("utf-8"), factor))
    jobs = [{"job_name": job, "static_configs": [{"targets": found}]} for job, found in targets.items()]
    intervals = {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "evaluation_interval": _EVERY}
    configuration = {"global": intervals, "rule_files": ["alerts.yml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{find_free_port('127.0.0.1')}"
    command = Command(
        (
            installed("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--query.lookback-delta=5s",
            "--log.level=warn",
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command.launch_argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until_blocking(lambda: _answers(address), WITHIN)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"http://{address}/-/ready", verify=NO_TLS).status_code == 200
    return False
