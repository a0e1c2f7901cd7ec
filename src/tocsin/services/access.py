"""Access: who calls, and what the caller may do.

A service key may act for any user, within its scopes; an inbox token only in its own inbox. What a token may not
see does not exist for it, so the answer is `NotFound`, never `Forbidden`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import uuid_utils.compat

from tocsin.coalescer import Coalescer
from tocsin.errors import FieldError, Forbidden, InvalidInput, NotFound, TokenExpired, Unauthenticated
from tocsin.models.api_key import KEY_PREFIX, ApiKey, Scope, hash_service_key, new_service_key
from tocsin.repositories.api_keys import ValidKey
from tocsin.repositories.unit_of_work import Database, UnitOfWork
from tocsin.services.ports import Clock
from tocsin.services.signed_tokens import SignedTokens
from tocsin.telemetry import BATCH_ITEMS

_INBOX_AUDIENCE: Final = "inbox"
_TOUCH_EVERY: Final = timedelta(minutes=1)
_MAX_WAITING: Final = 10_000
_MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class ServiceCaller:
    """A program that proved itself with a service key."""

    key_id: UUID
    scopes: frozenset[str]
    key_hash: bytes = field(repr=False)
    expires_at: datetime | None = None
    kind: str = "service"

    def require(self, scope: Scope) -> None:
        """Raise `Forbidden` unless the key has ``scope``."""
        if scope.value not in self.scopes:
            raise Forbidden(f"This service key lacks the scope '{scope.value}'.")

    def require_inbox(self, user_id: UUID, scope: Scope) -> None:
        """Raise `Forbidden` unless the key has ``scope``; it may act for any user."""
        self.require(scope)


@dataclass(frozen=True, slots=True)
class InboxCaller:
    """A user's browser that proved itself with an inbox token."""

    user_id: UUID
    expires_at: datetime
    kind: str = "inbox"

    def require(self, scope: Scope) -> None:
        """Every inbox token may read and change, in its own inbox."""

    def require_inbox(self, user_id: UUID, scope: Scope) -> None:
        """Raise `NotFound` unless ``user_id`` is its own."""
        if user_id != self.user_id:
            raise NotFound


@dataclass(frozen=True, slots=True)
class StreamCaller:
    """A user's browser that opens a stream; ``key_hash`` is of the secret that its token was made with, if it was."""

    user_id: UUID
    expires_at: datetime
    key_hash: bytes | None = field(repr=False)
    kind: str = "stream"

    def require(self, scope: Scope) -> None:
        """Raise `Forbidden` unless it is only to read."""
        if scope is not Scope.READ:
            raise Forbidden("A stream token opens streams, and is good for nothing else.")

    def require_inbox(self, user_id: UUID, scope: Scope) -> None:
        """Raise `NotFound` unless ``user_id`` is its own."""
        self.require(scope)
        if user_id != self.user_id:
            raise NotFound


Caller = ServiceCaller | InboxCaller | StreamCaller


def require_service(caller: Caller, *scopes: Scope) -> ServiceCaller:
    """Return ``caller`` if it is a service key with all ``scopes``; raise `Forbidden` otherwise."""
    if not isinstance(caller, ServiceCaller):
        raise Forbidden("This call needs a service key; an inbox token does not allow it.")
    for scope in scopes:
        caller.require(scope)
    return caller


@dataclass(frozen=True, slots=True)
class InboxToken:
    """A minted token and when it expires."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A service key as operators see it; ``former_until`` is until when a secret that it had before is good, if any."""

    key: ApiKey
    is_over: bool
    former_until: datetime | None


class AccessService:
    """Proves credentials, mints inbox tokens, keeps service keys."""

    def __init__(self, database: Database, tokens: SignedTokens, token_ttl: timedelta, clock: Clock) -> None:
        self._database = database
        self._tokens = tokens
        self._token_ttl = token_ttl
        self._clock = clock
        # Looked up anew for each call, so that a revoked key stops at once, but together for all that wait.
        self._lookup: Coalescer[bytes, ValidKey | None] = Coalescer(
            self._look_up,
            max_batch=_MAX_WAITING,
            max_waiting=_MAX_WAITING,
            observe=BATCH_ITEMS.labels("keys").observe,
        )

    async def authenticate(self, credential: str) -> Caller:
        """Return who holds ``credential``.

        Raises:
            Unauthenticated: nobody does, or not any more.
        """
        if credential.startswith(KEY_PREFIX):
            return await self._authenticate_key(credential)
        return self._authenticate_token(credential)

    def mint_inbox_token(self, caller: Caller, user_id: UUID, ttl: timedelta | None = None) -> InboxToken:
        """Make a token for the inbox of ``user_id``; it allows reading and changing, so the key must too."""
        require_service(caller, Scope.READ, Scope.WRITE)
        now = self._clock()
        expires_at = (now + (ttl or self._token_ttl)).replace(microsecond=0)
        claims = {"sub": str(user_id), "aud": _INBOX_AUDIENCE, "iat": now, "exp": expires_at}
        return InboxToken(self._tokens.sign(claims), expires_at)

    async def create_key(
        self, name: str, scopes: Sequence[Scope], expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a service key; the key itself is returned here and never again."""
        if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
            detail = f"The name must have 1 to {_MAX_NAME} characters, all of them printable."
            raise InvalidInput([FieldError("/name", "must have 1 to 100 printable characters")], detail)
        if expires_at is not None and expires_at <= self._clock():
            raise InvalidInput([FieldError("/expires", "must be in the future")], "It would have expired already.")
        secret = new_service_key()
        key = ApiKey(
            id=uuid_utils.compat.uuid7(),
            name=name,
            hash=hash_service_key(secret),
            scopes=[scope.value for scope in scopes],
            expires_at=expires_at,
        )

        async def work(uow: UnitOfWork) -> None:
            uow.api_keys.add(key)

        await self._database.transaction(work)
        return key, secret

    async def list_keys(self) -> list[ListedKey]:
        """Return all keys, those too that are revoked or have expired."""
        now = self._clock()

        async def work(uow: UnitOfWork) -> list[ListedKey]:
            former = await uow.api_keys.former_until(now)
            return [ListedKey(key, key.is_over(now), former.get(key.id)) for key in await uow.api_keys.list_all()]

        return await self._database.read(work)

    async def rotate_key(self, key_id: UUID, grace: timedelta) -> tuple[ApiKey, str]:
        """Give a key a new secret, which is returned here and never again.

        The one before is good for ``grace``, and those before that one for no longer.

        Raises:
            NotFound: there is no such key.
            InvalidInput: it was revoked or has expired.
        """

        async def work(uow: UnitOfWork) -> tuple[ApiKey, str]:
            now = self._clock()
            key = await _get(uow, key_id)
            if key.is_over(now):
                detail = f"The service key {key_id} was revoked or has expired; create a new one."
                raise InvalidInput([FieldError("/id", "is of a key that is over")], detail)
            secret, former = key.rotate(now + grace)
            await uow.api_keys.end_former_hashes(key.id, former.expires_at)
            await uow.api_keys.forget_former_hashes(now)
            if grace:
                uow.api_keys.add_former_hash(former)
            return key, secret

        return await self._database.transaction(work)

    async def revoke_key(self, key_id: UUID) -> ApiKey:
        """Make a key worthless at once.

        Raises:
            NotFound: there is no such key.
        """

        async def work(uow: UnitOfWork) -> ApiKey:
            key = await _get(uow, key_id)
            key.revoke(self._clock())
            return key

        return await self._database.transaction(work)

    async def _authenticate_key(self, credential: str) -> ServiceCaller:
        digest = hash_service_key(credential)
        key = await self._lookup.submit(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            raise Unauthenticated("This service key is not known, or was revoked.")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise Unauthenticated("This service key has expired, or another has taken its place.")
        return ServiceCaller(key.id, key.scopes, key.hash, key.expires_at)

    async def _look_up(self, hashes: Sequence[bytes]) -> Sequence[ValidKey | None]:
        now = self._clock()

        async def work(uow: UnitOfWork) -> dict[bytes, ValidKey]:
            found = await uow.api_keys.valid_by_hash(set(hashes))
            stale = [k.id for k in found.values() if k.last_used_at is None or now - k.last_used_at > _TOUCH_EVERY]
            if stale:
                await uow.api_keys.touch(stale, _TOUCH_EVERY)
            return found

        keys = await self._database.read(work)
        return [keys.get(item) for item in hashes]

    def _authenticate_token(self, credential: str) -> InboxCaller:
        try:
            claims = self._tokens.read(credential, _INBOX_AUDIENCE, ["sub", "exp"])
            user_id = UUID(claims["sub"])
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (ValueError, TypeError, OverflowError):
            raise Unauthenticated("This is neither a service key (tcs_…) nor a valid inbox token.") from None
        if expires_at <= self._clock():
            raise TokenExpired
        return InboxCaller(user_id, expires_at)


async def _get(uow: UnitOfWork, key_id: UUID) -> ApiKey:
    key = await uow.api_keys.get(key_id)
    if key is None:
        raise NotFound(f"There is no service key with the id {key_id}.")
    return key
