"""Header fields that tell browsers what not to do with an answer, for all that do not say otherwise.

What a person sees as a page sets its own. `Strict-Transport-Security` is left to whoever ends TLS: said over plain
HTTP it is ignored (RFC 6797, 8.1), and only he knows whether all of the domain speaks TLS.
"""

from collections.abc import Sequence
from typing import Final

# No answer of the API is a page: nothing in it may be run, shown in a frame, or kept; and from none of them leads a
# link whose referrer would tell an address.
_DEFAULTS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def missing(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the defaults of those fields that ``headers``, with names in lower case, do not have."""
    present = {name for name, _ in headers}
    return [field for field in _DEFAULTS if field[0] not in present]
