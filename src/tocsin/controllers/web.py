"""The page at ``/`` and the modules of ``<tocsin-inbox>``, which any page may embed."""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tocsin import __version__
from tocsin.controllers.conditional import IfNoneMatch, knows
from tocsin.controllers.scripts import joined

router = APIRouter(include_in_schema=False)

_FOLDER: Final = files("tocsin") / "web"
_SERVED: Final = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "tocsin-inbox.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_PAGE: Final = "index.html"
_TAKES_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$|\s))", re.IGNORECASE)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept, Accept-Encoding",
}
# They are the same for everybody, and hold no secret.
_PUBLIC_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file, plain and packed, each with its tag: they are different bytes."""

    plain: bytes
    packed: bytes
    media_type: str

    def answer(self, headers: dict[str, str], accept_encoding: str, if_none_match: str | None) -> Response:
        is_packed = _TAKES_GZIP.search(accept_encoding) is not None
        body = self.packed if is_packed else self.plain
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = headers | {"ETag": tag, "Cache-Control": "no-cache"}
        if knows(if_none_match)(tag):
            return Response(status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers, media_type=self.media_type)


_Accept = Annotated[str, Header()]


@router.get("/")
async def page(
    request: Request, accept: _Accept = "", accept_encoding: _Accept = "", if_none_match: IfNoneMatch = None
) -> Response:
    """Show people the inbox; tell programs where things are."""
    if "text/html" in accept:
        return (await _loaded(_PAGE)).answer(_PAGE_HEADERS, accept_encoding, if_none_match)
    root = request.url.path.rstrip("/")
    places = {"api": f"{root}/api/v1", "openapi": f"{root}/openapi.json", "docs": f"{root}/docs"}
    return JSONResponse({"name": "Tocsin", "version": __version__, **places}, headers={"Vary": "Accept"})


@router.get("/web/{name}")
async def file(name: str, accept_encoding: _Accept = "", if_none_match: IfNoneMatch = None) -> Response:
    """Serve what the page is made of, and the component for other pages."""
    if name not in _SERVED or name == _PAGE:
        raise HTTPException(404)
    return (await _loaded(name)).answer(_PUBLIC_HEADERS, accept_encoding, if_none_match)


async def _loaded(name: str) -> _File:
    # The first time takes a while, in which nobody else should wait.
    return await asyncio.to_thread(_load, name)


@cache
def _load(name: str) -> _File:
    text = joined(name, _read) if name.endswith(".js") else _read(name)
    body = text.encode()
    return _File(body, gzip.compress(body, 9, mtime=0), _SERVED[name])


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")
