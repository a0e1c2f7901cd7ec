"""Signed tokens: JWT (RFC 7519) with HS256."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

_ALGORITHM: Final = "HS256"


class SignedTokens:
    """Signs with the first of ``secrets``, and reads what any of them signed: so a secret can be replaced."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token of ``claims``."""
        return jwt.encode(dict(claims), self._secrets[0], _ALGORITHM)

    def read(self, token: str, audience: str, required: Sequence[str]) -> dict[str, Any]:
        """Return the claims of ``token``. When it expires is left to the caller, who has the clock.

        Raises:
            ValueError: it was not signed here, is for another audience, or lacks one of the ``required`` claims.
        """
        for secret in self._secrets:
            try:
                return _decode(token, secret, audience, required)
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidTokenError as error:
                raise ValueError(str(error)) from None
        raise ValueError("It was not signed here.")


def _decode(token: str, secret: str, audience: str, required: Sequence[str]) -> dict[str, Any]:
    # Not "iat" either: the clock of the process that signed may be ahead of this one's.
    options: Any = {"require": [*required, "aud"], "verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(token, secret, algorithms=[_ALGORITHM], audience=audience, options=options)
    return claims
