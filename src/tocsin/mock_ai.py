"""A stand-in for the AI API, with knobs for trouble.

``POST /analyze`` takes ``{"text": …}`` and answers ``{category, confidence, keywords}``; ``GET`` and ``PUT
/knobs`` show and change the trouble while it runs; ``GET /calls`` counts; ``GET /healthz`` is always well.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from itertools import cycle
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from tocsin.errors import ConfigurationError
from tocsin.models.keyword_rules import rule_for
from tocsin.models.verdict import Category
from tocsin.settings import MockAiSettings

_BACKLOG = 4096
# As good as at once; aiohttp takes 0 for no limit and would wait for calls that hang.
_SHUTDOWN_TIMEOUT = 0.01
_CONFIDENCE = {Category.CRITICAL: (0.7, 0.95), Category.WARNING: (0.6, 0.9), Category.INFO: (0.8, 0.99)}
_KNOBS = tuple(name for name in MockAiSettings.model_fields if name not in ("host", "port"))
_GARBAGE = (
    ("text/plain", b"I think that this is fine."),
    ("application/json", b'{"category": "urgent", "confidence": 0.9, "keywords": []}'),
    ("application/json", b'{"category": "info", "confidence": 7, "keywords": []}'),
    ("application/json", b'{"category": "info", "confidence": NaN, "keywords": []}'),
    ("application/json", b'{"category": "info", "keywords": []}'),
    ("text/html", b"<html><body><h1>Welcome to nginx!</h1></body></html>"),
)


class MockAi:
    """The API of the AI, as `tocsin mock-ai` serves it.

    Args:
        settings: the first position of the knobs.
        chance: where all randomness is from.

    Raises:
        ConfigurationError: the knobs do not fit together.
    """

    def __init__(self, settings: MockAiSettings, chance: random.Random | None = None) -> None:
        self._settings = _checked(settings)
        self._chance = chance or random.Random()
        self._garbage = cycle(_GARBAGE)
        self._total = 0
        self._in_the_air = 0

    def application(self) -> web.Application:
        """Return the web application, to be run once."""
        application = web.Application()
        application.add_routes(
            [
                web.post("/analyze", self._analyze),
                web.get("/healthz", self._healthz),
                web.get("/calls", self._calls),
                web.get("/knobs", self._show_knobs),
                web.put("/knobs", self._turn_knobs),
            ]
        )
        return application

    async def _analyze(self, request: web.Request) -> web.StreamResponse:
        self._total += 1
        self._in_the_air += 1
        try:
            text = (await _read_object(request)).get("text")
            if not isinstance(text, str):
                raise _refusal("'text' must be a string")
            return await self._answer(text)
        finally:
            self._in_the_air -= 1

    async def _answer(self, text: str) -> web.StreamResponse:
        trouble = self._draw_trouble()
        # A limiter says no at once; everything else takes as long as a verdict.
        if trouble == "busy":
            return web.Response(status=429, headers={"Retry-After": "1"})
        if trouble == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(self._chance.uniform(self._settings.delay_min, self._settings.delay_max))
        if trouble == "error":
            return web.Response(status=500)
        if trouble == "garbage":
            content_type, body = next(self._garbage)
            return web.Response(body=body, content_type=content_type)
        return _json_response(self._judge(text))

    def _draw_trouble(self) -> str | None:
        """Draw one trouble at most, so that each share is exact as long as they add up to no more than 1."""
        settings = self._settings
        ticket = self._chance.random()
        for trouble, share in (
            ("hang", settings.hang_rate),
            ("busy", settings.busy_rate),
            ("error", settings.error_rate),
            ("garbage", settings.garbage_rate),
        ):
            if ticket < share:
                return trouble
            ticket -= share
        return None

    def _judge(self, text: str) -> dict[str, Any]:
        category = rule_for(text).category
        words = text.split()
        return {
            "category": category.value,
            "confidence": self._chance.uniform(*_CONFIDENCE[category]),
            "keywords": self._chance.sample(words, min(3, len(words))),
        }

    async def _healthz(self, request: web.Request) -> web.Response:
        return _json_response({"status": "ok"})

    async def _calls(self, request: web.Request) -> web.Response:
        return _json_response({"total": self._total, "in_the_air": self._in_the_air})

    async def _show_knobs(self, request: web.Request) -> web.Response:
        return _json_response(self._settings.model_dump(include=set(_KNOBS)))

    async def _turn_knobs(self, request: web.Request) -> web.Response:
        turned = await _read_object(request)
        unknown = sorted(set(turned) - set(_KNOBS))
        if unknown:
            raise _refusal(f"unknown: {', '.join(unknown)}; the knobs are {', '.join(_KNOBS)}")
        try:
            self._settings = with_changes(self._settings, turned)
        except ConfigurationError as error:
            raise _refusal(error.detail) from None
        return await self._show_knobs(request)


def with_changes(settings: MockAiSettings, changes: dict[str, Any]) -> MockAiSettings:
    """Return ``settings`` with ``changes`` by field name.

    Raises:
        ConfigurationError: they do not fit.
    """
    try:
        return _checked(MockAiSettings.model_validate(settings.model_dump() | changes))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise ConfigurationError("; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)) from None


async def serve(settings: MockAiSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, which end running calls at once.

    Args:
        settings: where to listen, and the knobs to begin with.
        announce: called with the base URL as soon as connections are accepted.

    Raises:
        ConfigurationError: the address cannot be listened on, or the knobs do not fit together.
    """
    stopped = asyncio.Event()
    _stop_on_signals(stopped)
    runner = web.AppRunner(
        MockAi(settings).application(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_TIMEOUT
    )
    await runner.setup()
    try:
        await _listen(runner, settings)
        host, port = runner.addresses[0][:2]
        announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        await stopped.wait()
    finally:
        await runner.cleanup()


def run(settings: MockAiSettings, announce: Callable[[str], None]) -> None:
    """Run `serve` on a loop of its own, the fast one where there is one."""
    if sys.platform == "win32":
        asyncio.run(serve(settings, announce))
    else:
        # It does not exist on Windows.
        import uvloop

        uvloop.run(serve(settings, announce))


def _checked(settings: MockAiSettings) -> MockAiSettings:
    if not settings.delay_min <= settings.delay_max < float("inf"):
        raise ConfigurationError("delay_max must be finite and at least delay_min")
    return settings


async def _listen(runner: web.AppRunner, settings: MockAiSettings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=_BACKLOG).start()
    except OSError as error:
        # A failed look-up of the host has a code of its own kind, which os.strerror does not know.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such host"
        raise ConfigurationError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error


def _stop_on_signals(stopped: asyncio.Event) -> None:
    # On Windows an event loop takes no signals; there Ctrl-C ends asyncio.run itself.
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await request.read())
    # Deep nesting raises RecursionError, everything else that is wrong with JSON is a ValueError.
    except (ValueError, RecursionError):
        raise _refusal("the body must be JSON") from None
    if not isinstance(document, dict):
        raise _refusal("the body must be a JSON object")
    return document


def _json_response(document: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), content_type="application/json")


def _refusal(detail: str) -> web.HTTPUnprocessableEntity:
    return web.HTTPUnprocessableEntity(text=json.dumps({"detail": detail}), content_type="application/json")
