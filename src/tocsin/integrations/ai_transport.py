"""How an AI is asked over HTTP, and what its failures are called."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from pydantic import SecretStr
from yarl import URL

from tocsin.errors import (
    AnalyzerBrokeOff,
    AnalyzerBusy,
    AnalyzerError,
    AnalyzerFailing,
    AnalyzerRefused,
    AnalyzerTimeout,
    AnalyzerUnintelligible,
    AnalyzerUnreachable,
    ConfigurationError,
)
from tocsin.models.verdict import Verdict
from tocsin.tracing import call_span

MAX_ANSWER_BYTES = 64 * 1024
MAX_RETRY_AFTER = 3600.0

_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# The deadline is our own, around the whole call; the default of the session must not cut it short.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class AiEndpoint:
    """An address that takes JSON by POST and answers with a verdict.

    Args:
        session: shared by all calls; its connector must allow as many connections as there are calls.
        url: may carry credentials (``https://user:password@…``), unless there is a key.
        api_key: sent as a bearer token; white space around it, as left by secret files, is ignored.
        timeout: seconds from the wish to ask to the last byte of the answer.

    Raises:
        ConfigurationError: the key cannot be sent, or there are both a key and credentials in the URL.
    """

    def __init__(self, session: aiohttp.ClientSession, url: URL, api_key: SecretStr | None, timeout: float) -> None:
        self._session = session
        self._url = url
        self._timeout = timeout
        # Uncompressed, so that 64 KiB on the wire are 64 KiB in memory.
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        key = api_key.get_secret_value().strip() if api_key else ""
        if key:
            self._headers["Authorization"] = f"Bearer {_checked(key, url)}"

    async def ask(self, body: Mapping[str, object], read: Callable[[bytes], Verdict]) -> Verdict:
        """Send ``body``, hand the answer to ``read``, and ask once more if that finds it unintelligible.

        Raises:
            AnalyzerTimeout: the answer was not complete within the deadline.
            AnalyzerUnreachable: no connection came about.
            AnalyzerBrokeOff: it broke, or what answers does not speak HTTP.
            AnalyzerFailing: 5xx or 408.
            AnalyzerBusy: 429; ``retry_after`` is what the AI asked for, within 0..3600 seconds.
            AnalyzerRefused: any other 4xx, or a redirect: it would carry text and key to who knows where.
            AnalyzerUnintelligible: twice an answer that does not fit, or one of more than 64 KiB.
        """
        payload = json.dumps(body).encode()
        with suppress(AnalyzerUnintelligible):
            return read(await self._post(payload))
        return read(await self._post(payload))

    async def _post(self, payload: bytes) -> bytes:
        try:
            with call_span("POST", self._url.host or "") as traced:
                return await self._exchange(payload, self._headers | traced)
        except TimeoutError as error:
            raise AnalyzerTimeout(f"The AI did not answer within {self._timeout:g} seconds.") from error
        # A host name that cannot be encoded is a UnicodeError.
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, UnicodeError) as error:
            raise AnalyzerUnreachable(f"The AI could not be reached: {_reason(error)}.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise AnalyzerBrokeOff(f"The AI broke off: {_reason(error)}.") from error

    async def _exchange(self, payload: bytes, headers: Mapping[str, str]) -> bytes:
        async with (
            asyncio.timeout(self._timeout),
            self._session.post(
                self._url, data=payload, headers=headers, allow_redirects=False, timeout=_NO_TIMEOUT
            ) as response,
        ):
            _raise_for_status(response)
            return await _read_bounded(response.content)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, within 0..3600; None if it makes no sense.

    Args:
        value: the header: a number of seconds or an HTTP date.
        now: an aware time, to which a date is compared.
    """
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        seconds = float(value)
    else:
        # The parser of the standard library meets strange dates with more than its documented ValueError.
        try:
            date = parsedate_to_datetime(value)
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _checked(key: str, url: URL) -> str:
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError("TOCSIN_AI__API_KEY: must be printable ASCII characters")
    if url.user or url.password:
        raise ConfigurationError("TOCSIN_AI__URL: must not carry credentials when TOCSIN_AI__API_KEY is set")
    return key


def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    error: AnalyzerError
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        error = AnalyzerBusy("The AI asked to be called less often (HTTP 429).", retry_after=retry_after)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        error = AnalyzerFailing(f"The AI answered with a server error (HTTP {status}).", retry_after=retry_after)
    elif status < HTTPStatus.BAD_REQUEST:
        error = AnalyzerRefused(f"The AI answered with a redirect (HTTP {status}), which is not followed.")
    else:
        error = AnalyzerRefused(f"The AI refused the call (HTTP {status}).")
    raise error


async def _read_bounded(content: aiohttp.StreamReader) -> bytes:
    received = bytearray()
    async for chunk in content.iter_any():
        received += chunk
        if len(received) > MAX_ANSWER_BYTES:
            raise AnalyzerUnintelligible("The AI gave an answer that does not fit: it is larger than 64 KiB.")
    return bytes(received)


def _reason(error: Exception) -> str:
    """Say in words of our own what broke: the words of the error may name hosts or quote the peer."""
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        return "its name does not resolve"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no secure connection"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what answers does not speak HTTP"
    return "the connection broke"
