"""The stand-in for the AI API."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import HttpUrl

from tocsin.errors import AnalyzerError, AnalyzerUnintelligible, ConfigurationError
from tocsin.integrations.http_analyzer import HttpAnalyzer
from tocsin.mock_ai import MockAi
from tocsin.settings import AiSettings, MockAiSettings

PATIENCE = 30
SEED = 7


def knobs(**turned: float) -> MockAiSettings:
    return MockAiSettings.model_validate({"delay_min": 0, "delay_max": 0} | turned)


@asynccontextmanager
async def running(settings: MockAiSettings) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(MockAi(settings, random.Random(SEED)).application())) as client:
        yield client


async def analyze(client: TestClient[Any, Any], text: str = "all is well") -> tuple[int, Any]:
    async with client.post("/analyze", json={"text": text}) as response:
        return response.status, await response.json() if response.status == 200 else None


async def until_in_the_air(client: TestClient[Any, Any], wanted: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await (await client.get("/calls")).json())["in_the_air"] != wanted:
            pass


@pytest.mark.parametrize(
    ("text", "category", "lowest", "highest"),
    [
        ("Backup FAILED on host db", "critical", 0.7, 0.95),
        ("warning: an Exception", "critical", 0.7, 0.95),
        ("Please be careful here", "warning", 0.6, 0.9),
        ("deployed release 12 today", "info", 0.8, 0.99),
        ("one", "info", 0.8, 0.99),
        ("  \n", "info", 0.8, 0.99),
        ("", "info", 0.8, 0.99),
    ],
)
async def test_keeps_the_contract(text: str, category: str, lowest: float, highest: float) -> None:
    async with running(knobs()) as client:
        answers = [await analyze(client, text) for _ in range(50)]

    words = text.split()
    for status, answer in answers:
        assert status == 200
        assert set(answer) == {"category", "confidence", "keywords"}
        assert answer["category"] == category
        assert lowest <= answer["confidence"] <= highest
        assert len(answer["keywords"]) == min(3, len(words))
        assert not Counter(answer["keywords"]) - Counter(words)


async def test_our_own_client_understands_it() -> None:
    async with running(knobs()) as client, aiohttp.ClientSession() as session:
        url = HttpUrl(str(client.make_url("/analyze")))
        verdict = await HttpAnalyzer(session, AiSettings(url=url)).analyze("title", "disk failed")

    assert sorted(verdict.keywords) == ["disk", "failed"]


async def test_every_kind_of_garbage_does_not_fit() -> None:
    async with running(knobs(garbage_rate=1)) as client, aiohttp.ClientSession() as session:
        analyzer = HttpAnalyzer(session, AiSettings(url=HttpUrl(str(client.make_url("/analyze")))))
        reasons = set()
        for _ in range(3):
            with pytest.raises(AnalyzerUnintelligible) as caught:
                await analyzer.analyze("title", "text")
            reasons.add(caught.value.detail)
        bodies = [await (await client.post("/analyze", json={"text": "x"})).read() for _ in range(12)]

    assert len(set(bodies)) == 6
    assert bodies[:6] == bodies[6:]
    assert reasons == {
        "The AI gave an answer that does not fit: category.",
        "The AI gave an answer that does not fit: confidence.",
        "The AI gave an answer that does not fit: it is not JSON.",
    }


@pytest.mark.parametrize(("rate", "code"), [("error_rate", "analyzer_failing"), ("busy_rate", "analyzer_busy")])
async def test_other_trouble_is_what_it_says(rate: str, code: str) -> None:
    async with running(knobs(**{rate: 1})) as client, aiohttp.ClientSession() as session:
        analyzer = HttpAnalyzer(session, AiSettings(url=HttpUrl(str(client.make_url("/analyze")))))
        with pytest.raises(AnalyzerError) as caught:
            await analyzer.analyze("title", "text")

    assert caught.value.code == code
    assert caught.value.retry_after == (1 if code == "analyzer_busy" else None)


async def test_shares_are_what_they_say() -> None:
    async with running(knobs(error_rate=0.2, busy_rate=0.3, garbage_rate=0.1)) as client:
        answers = [await client.post("/analyze", json={"text": "x"}) for _ in range(1000)]
        garbage = [
            answer for answer in answers if answer.status == 200 and b'"keywords": ["x"]' not in await answer.read()
        ]

    seen = Counter(answer.status for answer in answers)
    assert seen[500] == pytest.approx(200, abs=60)
    assert seen[429] == pytest.approx(300, abs=60)
    assert len(garbage) == pytest.approx(100, abs=60)


async def test_a_call_that_hangs_ends_when_the_caller_hangs_up() -> None:
    async with running(knobs(hang_rate=1)) as client:
        call = asyncio.create_task(analyze(client))
        await until_in_the_air(client, 1)
        call.cancel()
        await until_in_the_air(client, 0)

        assert await (await client.get("/calls")).json() == {"total": 1, "in_the_air": 0}


async def test_holds_thousands_of_calls() -> None:
    async with running(knobs(hang_rate=1)) as client:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = client.make_url("/analyze")
            calls = [asyncio.create_task(session.post(url, json={"text": "x"})) for _ in range(2000)]
            await until_in_the_air(client, 2000)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


async def test_answers_take_as_long_as_the_knobs_say() -> None:
    loop = asyncio.get_running_loop()
    async with running(knobs(delay_min=0.2, delay_max=0.3)) as client:
        began = loop.time()
        assert (await analyze(client))[0] == 200

    assert loop.time() - began >= 0.2


async def test_is_well() -> None:
    async with running(knobs(error_rate=1, delay_max=60)) as client:
        assert (await client.get("/healthz")).status == 200


async def test_knobs_are_turned_while_it_runs() -> None:
    async with running(knobs()) as client:
        shown = await (await client.get("/knobs")).json()
        turned = await client.put("/knobs", json={"error_rate": 1, "delay_max": 0.01})
        assert turned.status == 200
        assert await turned.json() == shown | {"error_rate": 1, "delay_max": 0.01}
        assert (await analyze(client))[0] == 500

        await client.put("/knobs", json={"error_rate": 0})
        assert (await analyze(client))[0] == 200

    assert shown == {
        "delay_min": 0,
        "delay_max": 0,
        "error_rate": 0,
        "garbage_rate": 0,
        "busy_rate": 0,
        "hang_rate": 0,
    }


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('{"error_rate": 2}', "error_rate"),
        ('{"error_rate": NaN}', "error_rate"),
        ('{"delay_min": -1}', "delay_min"),
        ('{"delay_min": 5}', "delay_min"),
        ('{"delay_max": Infinity}', "delay_max"),
        ('{"port": 80}', "unknown: port"),
        ('{"speed": 80}', "unknown: speed"),
        ("[]", "JSON object"),
        ("{", "JSON"),
    ],
)
async def test_refuses_knobs_that_do_not_fit(body: str, word: str) -> None:
    async with running(knobs()) as client:
        before = await (await client.get("/knobs")).json()
        refused = await client.put("/knobs", data=body)

        assert refused.status == 422
        assert word in (await refused.json())["detail"]
        assert await (await client.get("/knobs")).json() == before


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"text": 1}', '{"text": null}', "[" * 60_000])
async def test_refuses_what_is_no_text(body: str) -> None:
    async with running(knobs()) as client:
        refused = await client.post("/analyze", data=body)

        assert refused.status == 422
        assert (await refused.json())["detail"]
        assert await (await client.get("/calls")).json() == {"total": 1, "in_the_air": 0}


def test_refuses_to_start_with_knobs_that_do_not_fit_together() -> None:
    with pytest.raises(ConfigurationError):
        MockAi(knobs(delay_min=2, delay_max=1))
