"""Stream tokens: what a browser, which can set no header there, opens a stream with.

They stand in addresses, and addresses in logs; so they open streams for some seconds, and are good for nothing else.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tocsin.errors import TokenExpired, Unauthenticated
from tocsin.models.api_key import Scope
from tocsin.services.access import Caller, InboxToken, ServiceCaller, StreamCaller
from tocsin.services.ports import Clock
from tocsin.services.signed_tokens import SignedTokens

_AUDIENCE: Final = "stream"
_LIFETIME: Final = timedelta(seconds=30)


class StreamTokens:
    """Mints stream tokens and reads them.

    The claim ``end`` is when the stream ends: with the inbox token that it was made with, or, made with a service
    key, after ``tenure``. Such a one has in ``key`` the hash of the secret, with which the stream ends too. It may be
    seen: no secret of 256 random bits is found by its hash.
    """

    def __init__(self, tokens: SignedTokens, tenure: timedelta, clock: Clock) -> None:
        self._tokens = tokens
        self._tenure = tenure
        self._clock = clock

    def mint(self, caller: Caller, user_id: UUID) -> InboxToken:
        """Make a token that opens a stream of the inbox of ``user_id``."""
        caller.require_inbox(user_id, Scope.READ)
        now = self._clock()
        expires_at = (now + _LIFETIME).replace(microsecond=0)
        claims: dict[str, Any] = {"sub": str(user_id), "aud": _AUDIENCE, "iat": now, "exp": expires_at}
        ends = [caller.expires_at] if caller.expires_at else []
        if isinstance(caller, ServiceCaller):
            claims["key"] = caller.key_hash.hex()
            ends.append(now + self._tenure)
        claims["end"] = min(ends).timestamp()
        return InboxToken(self._tokens.sign(claims), expires_at)

    def read(self, token: str) -> StreamCaller:
        """Return who holds ``token``.

        Raises:
            TokenExpired: it was good.
            Unauthenticated: it is none.
        """
        try:
            claims = self._tokens.read(token, _AUDIENCE, ["sub", "exp", "end"])
            user_id = UUID(claims["sub"])
            key_hash = bytes.fromhex(claims["key"]) if "key" in claims else None
            opens_until = datetime.fromtimestamp(claims["exp"], UTC)
            ends_at = datetime.fromtimestamp(claims["end"], UTC)
        except (ValueError, TypeError, OverflowError):
            raise Unauthenticated("This is no stream token; other credentials go into the header.") from None
        if min(opens_until, ends_at) <= self._clock():
            raise TokenExpired("This stream token has expired; get a new one for each connection.")
        return StreamCaller(user_id, ends_at, key_hash)
