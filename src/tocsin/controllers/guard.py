"""What every call of the API passes before its input is judged."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from tocsin.controllers.dependencies import authenticate
from tocsin.errors import FieldError, InvalidInput


class GuardedRoute(APIRoute):
    """Asks who calls first, then refuses what FastAPI would pass over in silence.

    FastAPI reads and parses the body before it runs dependencies, so a dependency alone would tell strangers
    what is wrong with their JSON, and read megabytes for them. It also ignores query parameters that nobody asked
    for, and all but the last of those given twice: a filter with a typo would show everything.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves the route."""
        handle = super().get_route_handler()
        known = frozenset(_query_names(self))
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            request.state.caller = await authenticate(request)
            if takes_body:
                _check_content_type(request)
            _check_query(request, known)
            return await handle(request)

        return guarded


def _query_names(route: APIRoute) -> Iterator[str]:
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias


def _check_query(request: Request, known: frozenset[str]) -> None:
    given = request.query_params
    errors = [FieldError(f"/{name}", "is not a known parameter", "query") for name in given if name not in known]
    errors += [
        FieldError(f"/{name}", "must be given once", "query")
        for name in given
        if name in known and len(given.getlist(name)) > 1
    ]
    if errors:
        raise InvalidInput(errors)


def _check_content_type(request: Request) -> None:
    length = request.headers.get("content-length", "")
    has_body = length not in {"", "0"} or "transfer-encoding" in request.headers
    if has_body and not _is_json(request.headers.get("content-type", "")):
        raise HTTPException(415)


def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))
