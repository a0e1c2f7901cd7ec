"""Kinds of settings, each with what it must look like and what is said if it does not."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

_MIN_SECRET_LENGTH: Final = 32
# As browsers send it (RFC 6454, section 6.2): in lower case, and without the port that the scheme implies.
_ORIGIN: Final = re.compile(
    r"(?:http(?!.*:80$)|https(?!.*:443$))://(?:[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
)
_PLACEHOLDERS: Final = ("change", "secret", "example", "default", "password")


def _refuse_weak_secret(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if len(value) < _MIN_SECRET_LENGTH or any(word in value.lower() for word in _PLACEHOLDERS):
        raise ValueError(
            f"must be at least {_MIN_SECRET_LENGTH} random characters, for example from 'openssl rand -hex 32'"
        )
    return secret


def _check_database_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgresql+asyncpg://")):
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return url


def _check_redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must look like redis://:password@host:6379/0")
    return url


def _split_origins(value: object) -> object:
    return [item for item in re.split(r"[\s,]+", value) if item] if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(_ORIGIN.fullmatch, origins)):
        raise ValueError("each must look like https://app.example.com, in lower case, without a path; '*' is not taken")
    return origins


Secret = Annotated[SecretStr, AfterValidator(_refuse_weak_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_check_redis_url)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_origins), AfterValidator(_check_origins)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Quota = Annotated[int, Field(ge=0, le=10_000_000)]
