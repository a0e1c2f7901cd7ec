"""One trace from the request through the queue to the call of the AI, between real processes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.collector import Ends, Span, listening
from tests.e2e.conftest import Site
from tests.e2e.crew import Crew
from tests.e2e.mock_ai import MockAi
from tests.e2e.programs import WITHIN
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with listening() as it:
        yield it


@pytest.fixture
def traced(idle_site: Site, ends: Ends, tmp_path: Path) -> Iterator[Crew]:
    """A crew whose spans go to the collector."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": ends.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    crew = Crew(tmp_path, idle_site.environment | told | {"TOCSIN_TRACING__ENABLED": "true"})
    yield crew
    crew.close()


async def test_a_trace_leads_from_the_caller_to_the_ai(
    traced: Crew, ends: Ends, api: Api, http: httpx2.AsyncClient
) -> None:
    _, url = await traced.api()
    await traced.worker(MockAi(http, ends.url))
    api, user = api.at(url), new_user()
    body = {"user_id": user, "title": "mandragora", "text": "mandragora"}

    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    made = await api.send("POST", "/notifications", headers, json=body)
    await api.all_completed(user, 1)
    await api.send("GET", "/notifications", params={"user_id": user, "category": "info"})
    await api.send("GET", f"/inboxes/{user}/changes?since=mandragora")
    await http.get(f"{url}/livez")

    def whole() -> list[Span]:
        found = [span for span in ends.spans if span.trace == TRACE]
        return found if len(found) == 3 else []

    by_name = {span.name: span for span in await until(whole, WITHIN)}
    request, analysis, call = (by_name[name] for name in ("POST /api/v1/notifications", "analyse notification", "POST"))
    assert (request.service, request.name, request.parent) == ("tocsin-api", "POST /api/v1/notifications", CALLER)
    assert (analysis.service, analysis.name, analysis.parent) == ("tocsin-worker", "analyse notification", request.id)
    assert (call.service, call.name, call.parent) == ("tocsin-worker", "POST", analysis.id)
    assert analysis.attributes["tocsin.notification_id"] == made.json()["id"]
    assert analysis.attributes["tocsin.request_id"] == made.headers["X-Request-ID"]
    assert ends.traceparents == [f"00-{TRACE}-{call.id}-01"]
    await until(lambda: any(span.name.endswith("/changes") for span in ends.spans), WITHIN)
    assert not any(b"mandragora" in raw for raw in ends.raw)
    assert not any("livez" in span.name for span in ends.spans)


async def test_without_a_caller_who_traces_each_request_begins_a_trace(
    traced: Crew, ends: Ends, api: Api, http: httpx2.AsyncClient
) -> None:
    _, url = await traced.api()
    await traced.worker(MockAi(http, ends.url))
    user = new_user()
    items = [{"user_id": user, "title": "A test", "text": "all is well"}] * 3
    await api.at(url).send("POST", "/notifications/batch", json={"items": items})
    again = (await api.at(url).all_completed(user, 3))[0]
    await api.at(url).post(f"/notifications/{again['id']}/analysis")

    def analyses() -> list[Span]:
        found = [span for span in ends.spans if span.name == "analyse notification"]
        return found if len(found) == 4 else []

    found = await until(analyses, WITHIN)
    assert len({span.trace for span in found}) == 2
    assert len({span.attributes["tocsin.notification_id"] for span in found}) == 3


async def test_a_collector_that_is_gone_holds_nobody_up(
    idle_site: Site, api: Api, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    crew = Crew(tmp_path, idle_site.environment | nowhere | {"TOCSIN_TRACING__ENABLED": "true"})
    try:
        _, ai = await crew.mock_ai(http)
        _, url = await crew.api()
        await crew.worker(ai)
        user = new_user()
        await api.at(url).create_many(user, ["all is well"] * 20)
        await api.at(url).all_completed(user, 20)
    finally:
        crew.close()
