"""PostgreSQL gone and back: 503 meanwhile, and recovery without a restart of anything else."""

import asyncio

import httpx2
import pytest

from tests.e2e.api import Api, new_user
from tests.e2e.ledger import Ledger
from tests.e2e.programs import WITHIN
from tests.e2e.up import Up
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)


class Visitor:
    """Creates and lists, and keeps what it was answered."""

    def __init__(self, api: Api, user: str) -> None:
        self._api = api
        self._user = user
        self.created: list[str] = []
        self.refused: list[httpx2.Response] = []

    async def comes(self) -> bool:
        """Return whether all was well."""
        answers = await asyncio.gather(
            self._api.try_create(self._user), self._api.send("GET", "/notifications", params={"user_id": self._user})
        )
        self.created += [answer.json()["id"] for answer in answers if answer.status_code == 201]
        self.refused += [answer for answer in answers if answer.is_error]
        return not any(answer.is_error for answer in answers)

    async def is_refused(self) -> bool:
        return not await self.comes()


async def test_an_outage_of_the_database_is_a_503_and_over_when_it_is_back(up: Up, http: httpx2.AsyncClient) -> None:
    api, ai, user, ledger = up.api(http), up.ai(http), new_user(), Ledger(up.status["database_url"])
    await ai.answer_in(1)
    before = await api.create_many(user, ["all is well"] * 20)
    await ai.holds(20)
    pids, visitor = up.pids, Visitor(api, user)

    pid = up.kill_part("postgres")
    await eventually(visitor.is_refused, WITHIN)
    await up.replaces("postgres", pid)
    await eventually(visitor.comes, WITHIN)

    for answer in visitor.refused:
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] == "database_unavailable"
    items = await api.all(user)
    assert {item["id"] for item in items} >= {*before, *visitor.created}
    await api.all_completed(user, len(items))
    await ledger.audit(api, user)
    assert {name: pid for name, pid in up.pids.items() if name != "postgres"} == {
        name: pid for name, pid in pids.items() if name != "postgres"
    }
