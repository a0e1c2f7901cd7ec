"""The choice of the analyzer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tocsin.integrations.http_analyzer import HttpAnalyzer
from tocsin.integrations.llm_analyzer import LlmAnalyzer
from tocsin.integrations.rules_analyzer import RulesAnalyzer
from tocsin.services.ports import Analyzer
from tocsin.settings import AiSettings


def build_analyzer(settings: AiSettings, session: aiohttp.ClientSession) -> Analyzer:
    """Return the analyzer that ``settings.provider`` names; ``session`` stays the caller's to close.

    Raises:
        ConfigurationError: the settings of the AI contradict each other.
    """
    match settings.provider:
        case "http":
            return HttpAnalyzer(session, settings)
        case "llm":
            return LlmAnalyzer(session, settings)
        case "rules":
            return RulesAnalyzer()


@asynccontextmanager
async def open_analyzer(settings: AiSettings) -> AsyncIterator[Analyzer]:
    """Open the analyzer that ``settings.provider`` names and close its connections at the end."""
    # How many calls are in the air is bounded by slots, and no AI needs our cookies.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield build_analyzer(settings, session)
