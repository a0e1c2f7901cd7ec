"""Positions: what a client has seen of an inbox."""

from dataclasses import dataclass
from uuid import UUID

from tocsin.errors import InvalidPosition

_VERSION_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Position:
    """A version of an inbox within an epoch. Clients keep its text and do not look inside."""

    epoch: UUID
    version: int

    def __str__(self) -> str:
        return f"{self.epoch.hex}.{self.version}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read what `str` wrote.

        Raises:
            InvalidPosition: it is not ours.
        """
        epoch, _, version = text.partition(".")
        if not (version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS):
            raise InvalidPosition
        try:
            position = cls(UUID(hex=epoch), int(version))
        except ValueError:
            raise InvalidPosition from None
        if str(position) != text or position.version >= 2**63:
            raise InvalidPosition
        return position
