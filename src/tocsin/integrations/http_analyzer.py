"""The AI API that takes a text and gives a verdict."""

from functools import partial

import aiohttp
from yarl import URL

from tocsin.integrations.ai_transport import AiEndpoint
from tocsin.integrations.answers import parse_verdict
from tocsin.models.verdict import Verdict
from tocsin.settings import AiSettings


class HttpAnalyzer:
    """Asks ``POST {url} {"text": …}`` → ``{category, confidence, keywords}``.

    Raises:
        ConfigurationError: see `AiEndpoint`.
    """

    def __init__(self, session: aiohttp.ClientSession, settings: AiSettings) -> None:
        self._endpoint = AiEndpoint(session, URL(str(settings.url)), settings.api_key, settings.timeout)
        self._read = partial(parse_verdict, analyzer="http")

    async def analyze(self, title: str, text: str) -> Verdict:
        """Judge ``text``; the contract of this API has no place for ``title``.

        Raises:
            AnalyzerError: see `AiEndpoint.ask`.
        """
        return await self._endpoint.ask({"text": text}, self._read)
