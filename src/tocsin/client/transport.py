"""One call over HTTP, with its repeats, and what its failures are called."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel, ValidationError

from tocsin.client.errors import ClientError, FieldProblem, Problem, Unreachable
from tocsin.client.retries import Backoff, RetryPolicy, parse_retry_after

OnRetry = Callable[[ClientError, float], None]
_Model = TypeVar("_Model", bound=BaseModel)

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
_QUOTED: Final = 200


class Transport:
    """Makes calls, repeating what may be repeated until the policy's deadline is over.

    Args:
        url: of the service, such as ``https://tocsin.example.com`` or ``https://example.com/tocsin``.
        key: a service key or an inbox token.
        policy: how long it is tried.
        on_retry: is told of each failure that is met with another try, and of the seconds until then.

    Raises:
        ValueError: the URL or the key cannot be used.
    """

    def __init__(self, url: str, key: str, policy: RetryPolicy, on_retry: OnRetry | None) -> None:
        self.base = _checked_url(url)
        self._policy = policy
        self._on_retry = on_retry
        self._headers = {"Authorization": f"Bearer {_checked_key(key)}", "User-Agent": "tocsin-client"}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready; needs a running event loop."""
        # No limit of its own: who makes a thousand calls at once means it.
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=_NO_TIMEOUT)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """What connections are made with.

        Raises:
            RuntimeError: it is not open.
        """
        if self._session is None:
            raise RuntimeError("TocsinClient is used with 'async with TocsinClient(url, key) as client'")
        return self._session

    async def call(
        self,
        kind: type[_Model],
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        extra_patience: float = 0,
    ) -> tuple[_Model, Mapping[str, str]]:
        """Return the answer, and the headers that it came with.

        Args:
            kind: what the answer is to be read as.
            method: of HTTP; whatever it is, repeating the call must do no harm.
            path: below ``/api/v1``.
            params: of the query; None is left out.
            body: JSON.
            headers: beside those of every call.
            extra_patience: seconds that the service may take on purpose.

        Raises:
            Problem: the service refused, or failed until the deadline.
            Unreachable: no answer came until the deadline, or one that no Tocsin gives.
        """
        content, answered = await self.exchange(
            method, path, params=params, body=body, headers=headers, extra_patience=extra_patience
        )
        try:
            return kind.model_validate_json(content), answered
        except ValidationError:
            shown = content[:_QUOTED].decode(errors="replace")
            raise Unreachable(f"{self.base} does not answer as Tocsin does: {shown!r}") from None

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        extra_patience: float = 0,
    ) -> tuple[bytes, Mapping[str, str]]:
        """Do as `call` does, for an answer that is not read."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._policy.deadline + extra_patience
        backoff = Backoff(self._policy.first_delay, self._policy.longest_delay)
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if body is not None else {})}
        url = f"{self.base}/api/v1{path}"
        query = {name: _text(value) for name, value in (params or {}).items() if value is not None}
        patience = self._policy.attempt + extra_patience
        error: ClientError | None = None
        while True:
            left = deadline - clock()
            try:
                async with asyncio.timeout(min(patience, left)):
                    return await self._attempt(method, url, query, body, sent)
            except TimeoutError:
                # A try that the deadline cut short says less than what was met before.
                if error is None or left >= patience:
                    error = Unreachable(f"{self.base} did not answer in time", retryable=True)
            except ClientError as met:
                error = met
            delay = backoff.next(error.retry_after)
            if not error.retryable or clock() + delay >= deadline:
                raise error
            if self._on_retry is not None:
                self._on_retry(error, delay)
            await asyncio.sleep(delay)

    async def _attempt(
        self, method: str, url: str, query: Mapping[str, str], body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[bytes, Mapping[str, str]]:
        try:
            async with self.session.request(
                method, url, params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        # A host name that cannot be encoded is a UnicodeError.
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise unreachable(self.base, error) from error
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return content, response.headers
        raise _problem(self.base, response.status, response.headers, content)


def unreachable(base: str, error: Exception) -> Unreachable:
    """Return what ``error`` means for whoever wanted to reach ``base``."""
    passing = True
    match error:
        case aiohttp.ClientSSLError():
            # Nobody renews a certificate while we wait.
            passing, why = False, f"cannot be reached: no secure connection ({error})"
        case aiohttp.InvalidURL() | UnicodeError():
            passing, why = False, "is no address that can be reached"
        case aiohttp.ClientConnectorDNSError():
            why = "cannot be reached: its name does not resolve"
        case aiohttp.ClientConnectorError(os_error=cause):
            # asyncio puts words of its own, and the address once more, into strerror.
            why = f"cannot be reached: {os.strerror(cause.errno) if cause.errno else str(cause) or 'no connection'}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            why = "broke the connection off"
        case aiohttp.ClientResponseError():
            passing, why = False, "does not speak HTTP"
        case _:
            why = f"cannot be reached: {error}"
    return Unreachable(f"{base} {why}", retryable=passing)


def _problem(base: str, status: int, headers: Mapping[str, str], content: bytes) -> Problem:
    retry_after = parse_retry_after(headers.get("Retry-After"))
    if status < HTTPStatus.BAD_REQUEST:
        told = f"{base} answers with a redirect to {headers.get('Location', 'nowhere')}; use that address instead."
        return Problem(status, "redirected", told)
    document = _document(headers, content)
    errors = [
        FieldProblem(str(item.get("in", "")), str(item.get("pointer", "")), str(item.get("detail", "")))
        for item in document.get("errors") or ()
        if isinstance(item, dict)
    ]
    return Problem(
        status,
        str(document.get("code") or "error"),
        str(document.get("detail") or f"{base} answered with HTTP status {status} and did not say why."),
        errors,
        document.get("request_id") or headers.get("X-Request-ID"),
        retry_after,
    )


def _document(headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    if not headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    else:
        fits = fits and not (parts.query or parts.fragment or parts.username or parts.password)
    if not fits:
        raise ValueError("The URL must look like https://tocsin.example.com, without a key, query or fragment in it.")
    return url.rstrip("/")


def _checked_key(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("The key must be a service key or an inbox token: visible ASCII characters, without spaces.")
    return key
