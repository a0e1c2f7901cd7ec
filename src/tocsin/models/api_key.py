"""A service key: what a program proves itself with."""

import enum
import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, String, func
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
    """A service key. Keys are revoked, never deleted, since notifications refer to them."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
