"""Rate limits on the wire: who is charged what, and the header fields that tell him where he stands.

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-11. The partition key (``pk``) of
what holds for one inbox of many is the sixteen bytes of its user id.
"""

import base64
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final
from uuid import UUID

from starlette.requests import HTTPConnection

from tocsin.bootstrap import Resources
from tocsin.services.access import Caller
from tocsin.services.rate_limits import WINDOW_SECONDS, Activity, Standing, refusal

_STANDINGS: Final = "tocsin.rate_limits"

HEADERS: Final = {
    "RateLimit-Policy": {
        "description": "The limits of this call, in units a minute (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"key-write";q=60000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each, and in how many seconds all of it is there again.",
        "schema": {"type": "string"},
        "example": '"key-write";r=59999;t=1',
    },
}


def refuse_exhausted(request: HTTPConnection, caller: Caller, activity: Activity) -> None:
    """Refuse who was told by this process to come back later; costs next to nothing, so before his body is read.

    Raises:
        RateLimited: it is not later yet.
    """
    if standings := _resources(request).rate_limits.exhausted(caller, activity):
        _settle(request, standings)


async def charge(
    request: HTTPConnection, caller: Caller, activity: Activity, inboxes: Mapping[UUID, int] | None = None
) -> None:
    """Charge the call, once, to its caller and to the ``inboxes`` that it names, as many units as are told for each.

    Raises:
        RateLimited: that is more than a limit allows now.
        InvalidInput: it is more at once than a limit ever allows.
    """
    _settle(request, await _resources(request).rate_limits.charge(caller, activity, inboxes or {}))


def was_charged(request: HTTPConnection) -> bool:
    """Whether the call was charged or refused."""
    return _STANDINGS in request.scope


def headers(scope: Mapping[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    """Return the header fields that tell how the caller of a request stands, if he was held to any limit."""
    standings: Sequence[Standing] = scope.get(_STANDINGS, ())
    if standings:
        policies = ", ".join(f'"{one.policy}";q={one.quota};w={WINDOW_SECONDS}' for one in standings)
        yield b"ratelimit-policy", policies.encode()
        yield b"ratelimit", ", ".join(map(_limit, standings)).encode()


def _settle(request: HTTPConnection, standings: Sequence[Standing]) -> None:
    scope: MutableMapping[str, Any] = request.scope
    scope[_STANDINGS] = standings
    if error := refusal(standings):
        raise error


def _resources(request: HTTPConnection) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


def _limit(standing: Standing) -> str:
    text = f'"{standing.policy}";r={standing.remaining};t={standing.seconds}'
    if standing.inbox is None:
        return text
    return f"{text};pk=:{base64.b64encode(standing.inbox.bytes).decode()}:"
