"""A service key: what a program proves itself with."""

import enum
import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, String, func
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.models.base import Base

KEY_PREFIX = "tcs_"
_KEY_BYTES = 32


class Scope(enum.StrEnum):
    """What a service key allows."""

    WRITE = "notifications:write"
    READ = "notifications:read"


def new_service_key() -> str:
    """Return a fresh key of 256 random bits; it is shown once and stored only as its hash."""
    return KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def hash_service_key(key: str) -> bytes:
    """Return the SHA-256 of ``key``; the key is random enough that no slow hash is needed."""
    return hashlib.sha256(key.encode()).digest()


class ApiKey(Base):
    """A service key. Keys are revoked, never deleted, since notifications refer to them.

    Its id outlives its secret: what is kept by id, such as idempotency keys, holds across a rotation.
    """

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def revoke(self, now: datetime) -> None:
        """Make it worthless."""
        self.revoked_at = self.revoked_at or now

    def is_over(self, now: datetime) -> bool:
        """Whether it was revoked or has expired."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    def rotate(self, until: datetime) -> "tuple[str, FormerHash]":
        """Take a new secret; return it, and what keeps the one before good ``until`` then."""
        former = FormerHash(hash=self.hash, api_key_id=self.id, expires_at=until)
        secret = new_service_key()
        self.hash = hash_service_key(secret)
        return secret, former


class FormerHash(Base):
    """The hash of a secret that a key had before and that is good for a while."""

    __tablename__ = "api_key_former_hashes"

    hash: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
