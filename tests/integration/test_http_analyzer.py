"""The AI API that takes a text and gives a verdict."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import HttpUrl, SecretStr

from tocsin.errors import AnalyzerFailing, AnalyzerUnintelligible
from tocsin.integrations.http_analyzer import HttpAnalyzer
from tocsin.models.verdict import Category, Verdict
from tocsin.settings import AiSettings

FIT = b'{"category": "critical", "confidence": 0.9, "keywords": ["disk"]}'
UNFIT = (
    b"fine",
    b'{"category": "urgent", "confidence": 0.9, "keywords": []}',
    b'{"category": "info", "confidence": 7, "keywords": []}',
    b'{"category": "info", "confidence": NaN, "keywords": []}',
    b'{"category": "info", "keywords": []}',
    b"<html></html>",
    b"",
    b"x" * (64 * 1024 + 1),
)


class ScriptedAi:
    """Gives the answers of the script, the last of them for ever, and remembers what it was asked."""

    def __init__(self, *script: bytes | int) -> None:
        self._script = list(script)
        self.bodies: list[object] = []
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.bodies.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return web.Response(status=step) if isinstance(step, int) else web.Response(body=step)


@asynccontextmanager
async def analyzer_of(ai: ScriptedAi, key: str | None = None, credentials: str = "") -> AsyncIterator[HttpAnalyzer]:
    application = web.Application()
    application.router.add_post("/analyze", ai.answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        url = HttpUrl(f"http://{credentials}127.0.0.1:{server.port}/analyze")
        yield HttpAnalyzer(session, AiSettings(url=url, api_key=SecretStr(key) if key else None, timeout=10))


async def test_sends_the_text_alone() -> None:
    ai = ScriptedAi(FIT)
    text = 'disk "full" — 🔔\n'

    async with analyzer_of(ai) as analyzer:
        verdict = await analyzer.analyze("a title", text)

    assert verdict == Verdict(Category.CRITICAL, 0.9, ("disk",), "http")
    assert ai.bodies == [{"text": text}]
    assert ai.headers[0]["Content-Type"] == "application/json"
    assert "Authorization" not in ai.headers[0]


@pytest.mark.parametrize(
    ("key", "credentials", "header"),
    [("k-1", "", "Bearer k-1"), (" k-1\n", "", "Bearer k-1"), (" ", "", None), (None, "u:p@", "Basic dTpw")],
)
async def test_proves_who_it_is(key: str | None, credentials: str, header: str | None) -> None:
    ai = ScriptedAi(FIT)

    async with analyzer_of(ai, key, credentials) as analyzer:
        await analyzer.analyze("title", "text")

    assert ai.headers[0].get("Authorization") == header


@pytest.mark.parametrize("unfit", UNFIT)
async def test_asks_once_more_when_the_answer_does_not_fit(unfit: bytes) -> None:
    ai = ScriptedAi(unfit, FIT)

    async with analyzer_of(ai) as analyzer:
        verdict = await analyzer.analyze("title", "text")

    assert verdict.category is Category.CRITICAL
    assert ai.bodies == [{"text": "text"}] * 2


@pytest.mark.parametrize("unfit", UNFIT)
async def test_gives_up_when_the_second_answer_does_not_fit_either(unfit: bytes) -> None:
    ai = ScriptedAi(unfit)

    async with analyzer_of(ai) as analyzer:
        with pytest.raises(AnalyzerUnintelligible):
            await analyzer.analyze("title", "text")

    assert len(ai.bodies) == 2


async def test_an_outage_instead_of_the_second_answer_is_an_outage() -> None:
    ai = ScriptedAi(b"fine", 500)

    async with analyzer_of(ai) as analyzer:
        with pytest.raises(AnalyzerFailing):
            await analyzer.analyze("title", "text")


async def test_an_outage_is_not_repeated_here() -> None:
    ai = ScriptedAi(500, FIT)

    async with analyzer_of(ai) as analyzer:
        with pytest.raises(AnalyzerFailing):
            await analyzer.analyze("title", "text")

    assert len(ai.bodies) == 1
