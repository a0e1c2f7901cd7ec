"""Logs are JSON lines that tell neither secrets nor what notifications say, whatever goes wrong."""

import json
import secrets
import signal
from typing import Any

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.conftest import Site
from tests.e2e.crew import Crew
from tests.e2e.ledger import Ledger
from tests.e2e.mock_ai import MockAi
from tests.e2e.programs import WITHIN, Program
from tests.fixtures.processes import is_alive
from tests.waiting import until
from tocsin.embedded.ports import find_free_port

pytestmark = pytest.mark.timeout(180)

NOTIFICATIONS = "/notifications"
SAID: dict[str, Any] = {
    "title": "mandragora-title",
    "text": "mandragora-text failed",
    "source": "mandragora-source",
    "link": "https://example.org/mandragora-link",
    "data": {"mandragora-name": "mandragora-value"},
}
AI_KEY = f"mandragora-{secrets.token_hex(8)}"
WRONG: tuple[dict[str, Any], ...] = (
    {"title": "mandragora" * 100},
    {"data": ["mandragora"]},
    {"mandragora-field": 1},
    {"user_id": "mandragora"},
)


async def test_neither_what_notifications_say_nor_a_secret_reaches_a_log(
    site: Site, crew: Crew, api: Api, ledger: Ledger, http: httpx2.AsyncClient
) -> None:
    _, ai = await crew.mock_ai(http)
    server, url = await crew.api()
    worker = await crew.worker(ai, AI__API_KEY=AI_KEY, AI__MAX_TRIES="2", AI__QUICK_REPEATS="0")
    api = api.at(url)

    token = await do_the_main_job(api)
    await make_mistakes(api)
    await have_trouble_with_the_ai(api, ai, worker)
    await break_statements(api, ledger)
    await server.says("request_broke_off", 2)
    for program in (server, worker):
        program.send(signal.SIGTERM)
        assert await program.ends() == 0

    for program in crew.programs:
        for secret in ("mandragora", token, site.key, site.environment["TOCSIN_SECRET"]):
            assert [line for line in program.output.splitlines() if secret in line] == [], program.name
    for program in (server, worker):
        assert_all_is_json(program)


async def test_what_libraries_say_while_redis_is_gone_is_json_too(
    crew: Crew, api: Api, http: httpx2.AsyncClient
) -> None:
    nowhere = f"redis://:mandragora@127.0.0.1:{find_free_port('127.0.0.1')}/0"
    _, ai = await crew.mock_ai(http)
    server, url = await crew.api(REDIS__BROKER_URL=nowhere)
    worker = await crew.worker(ai, REDIS__BROKER_URL=nowhere)
    user = new_user()
    await api.at(url).create(user)
    await api.at(url).all_completed(user, 1)
    await until(lambda: '"level": "error"' in worker.output, WITHIN)

    worker.send(signal.SIGTERM)
    await until(lambda: not is_alive(worker.pid), WITHIN)
    server.send(signal.SIGTERM)
    await server.ends()

    for program in (server, worker):
        assert "mandragora" not in program.output
        assert_all_is_json(program)


def assert_all_is_json(program: Program) -> None:
    lines = [json.loads(line) for line in program.output.splitlines()]
    assert lines
    assert all(line.keys() >= {"event", "level", "logger", "timestamp"} for line in lines)


async def do_the_main_job(api: Api) -> str:
    """Create, have it judged, and mint a token, which is returned."""
    user = new_user()
    headers = {"Idempotency-Key": "mandragora-key"}
    made = await api.send("POST", NOTIFICATIONS, headers, json=SAID | {"user_id": user})
    assert made.status_code == 201, made.text
    await api.all_completed(user, 1)
    token = str((await api.send("POST", f"/inboxes/{user}/tokens")).json()["token"])
    assert (await api.send("GET", NOTIFICATIONS, {"Authorization": f"Bearer {token}"})).status_code == 200
    return token


async def make_mistakes(api: Api) -> None:
    for wrong in WRONG:
        answer = await api.send("POST", NOTIFICATIONS, json=SAID | {"user_id": new_user()} | wrong)
        assert answer.status_code == 422, answer.text
    broken = await api.send("POST", NOTIFICATIONS, {"Content-Type": "application/json"}, content=b'{"mandragora')
    assert broken.status_code == 400
    stranger = await api.send("GET", NOTIFICATIONS, {"Authorization": "Bearer mandragora"})
    assert stranger.status_code == 401


async def have_trouble_with_the_ai(api: Api, ai: MockAi, worker: Program) -> None:
    user = new_user()
    for trouble, outcome in (
        ("error_rate", "notification_postponed"),
        ("garbage_rate", "notification_failed"),
        ("busy_rate", "notification_postponed"),
    ):
        times = len(worker.events(outcome)) + 1
        await ai.turn(**{trouble: 1})
        await api.send("POST", NOTIFICATIONS, json=SAID | {"user_id": user})
        await worker.says(outcome, times)
        await ai.turn(**{trouble: 0})
    await api.all_final(user, 3)


async def break_statements(api: Api, ledger: Ledger) -> None:
    """Have PostgreSQL refuse statements, so that faults of ours are logged with traceback and SQL."""
    user = new_user()
    await ledger.rows("ALTER TABLE notifications RENAME COLUMN text TO words")
    try:
        for method, options in (("POST", {"json": SAID | {"user_id": user}}), ("GET", {"params": {"user_id": user}})):
            assert (await api.send(method, NOTIFICATIONS, **options)).status_code == 500
    finally:
        await ledger.rows("ALTER TABLE notifications RENAME COLUMN words TO text")
