"""Conditional requests (RFC 9110, section 13): ETag and If-None-Match."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Header, Response

IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="An ETag of an earlier answer; `304` if nothing changed since."),
]

_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_ETAG_HEADER: Final = {"ETag": {"description": "Changes when the answer does.", "schema": {"type": "string"}}}

NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": _ETAG_HEADER},
    304: {"description": "Nothing changed since the answer with this ETag.", "headers": _ETAG_HEADER},
}


def knows(if_none_match: str | None) -> Callable[[str], bool]:
    """Return a test whether a client that sent this header has the answer with a given ETag."""
    tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    return lambda etag: etag in tags or "*" in tags


def tagged(body: bytes | None, etag: str | None) -> Response:
    """Return ``body`` as JSON under ``etag``, or a 304 if ``body`` is None."""
    headers = dict(_HEADERS) if etag is None else {**_HEADERS, "ETag": etag}
    if body is None:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def tagged_by_content(body: bytes, if_none_match: str | None) -> Response:
    """Return ``body`` under an ETag that is its hash, or a 304 if the client has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return tagged(None if knows(if_none_match)(etag) else body, etag)
