"""Cursors: where a page ended, signed together with the filters and the order that it belongs to."""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import replace
from typing import Final
from uuid import UUID

from tocsin.errors import InvalidCursor
from tocsin.repositories.notification_pages import Keyset, NotificationFilter, Order

# Id and severity; by relevance also the rank, and the newest id of when it began.
_BODY: Final = struct.Struct(">16sB")
_BODY_BY_RELEVANCE: Final = struct.Struct(">16sBf16s")
_FREQUENT: Final = 0x80
"""Stands in the byte of the severity."""
_SIGNATURE_BYTES: Final = 16


class CursorCodec:
    """Writes and reads cursors; only the holder of a secret can make one.

    They are signed with the first of ``secrets``; those that any of them signed are read.
    """

    def __init__(self, *secrets: str) -> None:
        self._keys = [hashlib.sha256(b"tocsin cursor " + secret.encode()).digest() for secret in secrets]

    def encode(self, keyset: Keyset, wanted: NotificationFilter, order: Order) -> str:
        """Return the cursor that continues after ``keyset``."""
        severity = keyset.severity | (_FREQUENT if keyset.frequent else 0)
        if order is Order.RELEVANCE and keyset.newest is not None:
            body = _BODY_BY_RELEVANCE.pack(keyset.id.bytes, severity, keyset.rank, keyset.newest.bytes)
        else:
            body = _BODY.pack(keyset.id.bytes, severity)
        return base64.urlsafe_b64encode(body + _sign(self._keys[0], body, wanted, order)).rstrip(b"=").decode()

    def decode(self, cursor: str, wanted: NotificationFilter, order: Order) -> Keyset:
        """Return where the cursor continues.

        Raises:
            InvalidCursor: it is not ours, or was issued for other filters or another order.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise InvalidCursor from None
        form = _BODY_BY_RELEVANCE if order is Order.RELEVANCE else _BODY
        body, signature = raw[: form.size], raw[form.size :]
        ours = any(hmac.compare_digest(signature, _sign(key, body, wanted, order)) for key in self._keys)
        if len(body) != form.size or not ours:
            raise InvalidCursor
        raw_id, severity, *best_first = form.unpack(body)
        keyset = Keyset(UUID(bytes=raw_id), severity & ~_FREQUENT, frequent=bool(severity & _FREQUENT))
        if not best_first:
            return keyset
        rank, newest = best_first
        return replace(keyset, rank=rank, newest=UUID(bytes=newest))


def _sign(key: bytes, body: bytes, wanted: NotificationFilter, order: Order) -> bytes:
    subject = body + repr((order.value, canonical(wanted))).encode()
    return hmac.digest(key, subject, "sha256")[:_SIGNATURE_BYTES]


def canonical(wanted: NotificationFilter) -> tuple[str | None, ...]:
    """Return the filter in a form that is equal for equal filters, in every process."""
    return (
        str(wanted.user_id) if wanted.user_id else None,
        wanted.category.value if wanted.category else None,
        wanted.status.value if wanted.status else None,
        str(wanted.read),
        repr(wanted.min_confidence),
        wanted.created_after.isoformat() if wanted.created_after else None,
        wanted.created_before.isoformat() if wanted.created_before else None,
        wanted.search.typed if wanted.search else None,
    )
