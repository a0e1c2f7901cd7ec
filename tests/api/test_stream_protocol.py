"""What a stream says besides changes: pings, refusals, ends, and what each of its two transports has of its own."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx2
import pytest

from tests.fixtures.calls import INBOXES, assert_problem
from tests.fixtures.live_app import LiveApp
from tests.fixtures.no_tls import NO_TLS
from tests.fixtures.posting import CALLER, post, post_many
from tests.fixtures.streams import TRANSPORTS, Json, Open, Stream, open_events, open_socket
from tests.waiting import until
from tocsin.settings import Settings, StreamSettings
from tocsin.telemetry import STREAM_MESSAGES

ROOM = 3
MANY = ("websocket", "sse", "websocket")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Pings often, and has room for few."""
    return settings.model_copy(update={"stream": StreamSettings(ping_every=0.3, max_per_inbox=ROOM, max_open=2 * ROOM)})


@pytest.fixture(params=TRANSPORTS)
def open_stream(request: pytest.FixtureRequest) -> Open:
    return TRANSPORTS[request.param]


async def next_change(stream: Stream) -> Json:
    while (message := await stream.next())["type"] == "ping":
        pass
    return message


async def refusal(live: LiveApp, user: object, key: str, **query: str) -> Json:
    async with open_socket(live.url, user, key, None, **query) as stream:
        (close,) = await stream.rest()
    assert stream.code == close["code"]
    return close


async def test_pings_come_with_the_position_while_nothing_else_does(
    live: LiveApp, service_key: str, open_stream: Open
) -> None:
    user = uuid4()
    async with open_stream(live.url, user, service_key) as stream:
        hello = await stream.next()
        first, second = await stream.next(), await stream.next()
        await post(live.resources, user_id=user)
        messages = [await stream.next()]
        while messages[-1]["type"] != "ping":
            messages.append(await stream.next())

    assert first == second == {"type": "ping", "position": hello["position"]}
    changes = [message for message in messages if message["type"] == "change"]
    assert [messages[-1]["position"]] == [change["position"] for change in changes]


async def test_a_change_is_rendered_once_however_many_are_told(live: LiveApp, service_key: str) -> None:
    def rendered() -> float:
        return float(STREAM_MESSAGES.labels("change")._value.get())

    user = uuid4()
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(TRANSPORTS[name](live.url, user, service_key)) for name in MANY]
        for stream in opened:
            await stream.next()
        before = rendered()
        await post(live.resources, user_id=user)
        told = [await next_change(stream) for stream in opened]

    assert rendered() == before + 1
    assert told == [told[0]] * ROOM


@pytest.mark.parametrize(
    ("user", "query", "named"),
    [
        (uuid4(), {"since": "yesterday"}, "position"),
        (uuid4(), {"since": ""}, "position"),
        (uuid4(), {"since": "0" * 32 + ".-1"}, "position"),
        (uuid4(), {"since": "9" * 300}, "position"),
        ("nobody", {}, "user_id must be a UUID"),
        (uuid4(), {"until": "tomorrow"}, "until is not a known parameter"),
    ],
)
async def test_what_does_not_fit_is_refused_and_named(
    live: LiveApp, service_key: str, user: object, query: Mapping[str, str], named: str
) -> None:
    close = await refusal(live, user, service_key, **query)

    assert (close["code"], close["reason"], close["retry_after"]) == (4504, "invalid_input", None)
    assert named in close["detail"]
    async with httpx2.AsyncClient(verify=NO_TLS, headers={"Authorization": f"Bearer {service_key}"}) as http:
        answer = await http.get(f"{live.url}{INBOXES}/{user}/events", params=dict(query))
    assert answer.status_code in {400, 422}


async def test_a_parameter_that_is_given_twice_is_refused(live: LiveApp, service_key: str) -> None:
    position = "0" * 32 + ".0"

    async with open_socket(live.url, uuid4(), service_key, since=[position, position]) as stream:
        (close,) = await stream.rest()

    assert close["code"] == 4504
    assert "since must be given once" in close["detail"]


@pytest.mark.parametrize("message", ["hello", b"bytes", "{}"])
async def test_who_sends_something_is_told_that_clients_send_nothing(
    live: LiveApp, service_key: str, message: str | bytes
) -> None:
    async with open_socket(live.url, uuid4(), service_key) as stream:
        hello = await stream.next()
        await stream.connection.send(message)
        (*_, close) = await stream.rest()

    assert (stream.code, stream.reason) == (close["code"], close["reason"]) == (4505, "unexpected_message")
    assert (close["position"], close["retry_after"]) == (hello["position"], None)


async def test_who_sends_much_is_cut_off(live: LiveApp, service_key: str) -> None:
    async with open_socket(live.url, uuid4(), service_key) as stream:
        await stream.next()
        await stream.connection.send("x" * 2_000)
        await stream.rest()

    assert stream.code == 1009
    await until(lambda: live.listeners == 0)


async def test_more_streams_than_there_is_room_for_are_told_to_come_back(live: LiveApp, service_key: str) -> None:
    user = uuid4()
    async with AsyncExitStack() as stack:
        for inbox in (user,) * ROOM:
            await (await stack.enter_async_context(open_socket(live.url, inbox, service_key))).next()
        close = await refusal(live, user, service_key)
        async with httpx2.AsyncClient(verify=NO_TLS, headers={"Authorization": f"Bearer {service_key}"}) as http:
            answer = await http.get(f"{live.url}{INBOXES}/{user}/events")
        for inbox in [uuid4() for _ in range(ROOM)]:
            await (await stack.enter_async_context(open_socket(live.url, inbox, service_key))).next()
        full = await refusal(live, uuid4(), service_key)

    assert (close["code"], close["reason"]) == (4004, "too_many_streams")
    assert (full["code"], full["reason"]) == (4002, "unavailable")
    assert 30 >= close["retry_after"] > 5 >= full["retry_after"] >= 0
    assert_problem(answer, 429, "too_many_streams")
    assert int(answer.headers["Retry-After"]) >= 1
    await until(lambda: live.listeners == 0)
    async with open_socket(live.url, user, service_key) as stream:
        assert (await stream.next())["type"] == "hello"


async def test_whoever_listens_is_sent_away_when_the_service_stops_and_nobody_is_taken_in(
    live: LiveApp, service_key: str, open_stream: Open
) -> None:
    user = uuid4()
    async with open_stream(live.url, user, service_key) as stream:
        hello = await stream.next()
        await live.resources.streams.stop()
        messages = await stream.rest()

    close = messages[-1]
    assert (close["type"], close["code"], close["reason"]) == ("close", 4000, "server_stopping")
    assert close["position"] == hello["position"]
    assert 0 <= close["retry_after"] <= 5
    late = await refusal(live, user, service_key)
    assert (late["code"], late["position"]) == (4000, None)
    async with httpx2.AsyncClient(verify=NO_TLS, headers={"Authorization": f"Bearer {service_key}"}) as http:
        assert_problem(await http.get(f"{live.url}{INBOXES}/{user}/events"), 503, "server_stopping")


async def test_events_are_what_an_event_source_understands(live: LiveApp, service_key: str) -> None:
    user = uuid4()
    async with open_events(live.url, user, service_key) as stream:
        hello = await stream.next()
        await post(live.resources, user_id=user)
        change = await stream.next()
        await live.resources.streams.stop()
        *_, close = await stream.rest()

        headers = stream.response.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Request-ID"]
    for event, message in ((stream.events[0], hello), (stream.events[1], change)):
        assert event.keys() == {"data", "id"}
        assert event["id"] == message["position"]
    assert int(stream.events[-1]["retry"]) == round(close["retry_after"] * 1000)


async def test_the_last_event_id_counts_more_than_since(live: LiveApp, service_key: str) -> None:
    user = uuid4()
    await post_many(live.resources, 3, user)
    epoch = (await live.resources.inboxes.overview(CALLER, user)).position.epoch.hex
    headers = {"Last-Event-ID": f"{epoch}.2"}

    async with open_events(live.url, user, service_key, headers, since=f"{epoch}.0") as stream:
        hello, change = await stream.next(), await stream.next()

    assert (hello["position"], hello["recovered"]) == (f"{epoch}.2", True)
    assert change["position"] == f"{epoch}.3"


async def test_head_of_a_stream_ends(live: LiveApp, service_key: str) -> None:
    async with httpx2.AsyncClient(verify=NO_TLS, headers={"Authorization": f"Bearer {service_key}"}) as http:
        answer = await http.head(f"{live.url}{INBOXES}/{uuid4()}/events")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    await until(lambda: live.listeners == 0)


async def test_who_comes_without_a_websocket_is_told_what_the_path_takes(live: LiveApp) -> None:
    async with httpx2.AsyncClient(verify=NO_TLS) as http:
        answer = await http.get(f"{live.url}{INBOXES}/{uuid4()}/stream")
        other = await http.post(f"{live.url}{INBOXES}/{uuid4()}/stream")

    assert "/events" in assert_problem(answer, 426, "upgrade_required")["detail"]
    assert answer.headers["Upgrade"] == "websocket"
    assert_problem(other, 405, "method_not_allowed")
    assert other.headers["Allow"] == "GET, HEAD"
