"""The choice of the analyzer."""

from typing import Literal

import aiohttp
import pytest
from pydantic import HttpUrl, SecretStr

from tocsin.errors import ConfigurationError
from tocsin.integrations.analyzers import build_analyzer
from tocsin.integrations.http_analyzer import HttpAnalyzer
from tocsin.integrations.llm_analyzer import LlmAnalyzer
from tocsin.integrations.rules_analyzer import RulesAnalyzer
from tocsin.settings import AiSettings


@pytest.mark.parametrize(("provider", "kind"), [("http", HttpAnalyzer), ("llm", LlmAnalyzer), ("rules", RulesAnalyzer)])
async def test_builds_what_the_settings_name(provider: Literal["http", "llm", "rules"], kind: type) -> None:
    async with aiohttp.ClientSession() as session:
        assert isinstance(build_analyzer(AiSettings(provider=provider), session), kind)


@pytest.mark.parametrize("provider", ["http", "llm"])
@pytest.mark.parametrize(
    ("url", "key", "variable"),
    [
        ("http://user:password@127.0.0.1/", "key", "TOCSIN_AI__URL"),
        ("http://127.0.0.1/", "two\nlines", "TOCSIN_AI__API_KEY"),
        ("http://127.0.0.1/", "schlüssel", "TOCSIN_AI__API_KEY"),
    ],
)
async def test_refuses_settings_that_cannot_work(
    provider: Literal["http", "llm"], url: str, key: str, variable: str
) -> None:
    settings = AiSettings(provider=provider, url=HttpUrl(url), api_key=SecretStr(key))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError) as caught:
            build_analyzer(settings, session)

    assert caught.value.detail.startswith(variable)
    assert key not in caught.value.detail.removeprefix(variable)
    assert "password" not in caught.value.detail
