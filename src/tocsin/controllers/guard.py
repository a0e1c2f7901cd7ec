"""What every call of the API passes before its input is judged."""

import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.types import Message

from tocsin.controllers import findings
from tocsin.controllers.dependencies import BEARER, Call, authenticate, authenticate_listener
from tocsin.controllers.problems import body_too_large
from tocsin.controllers.rate_limits import charge, refuse_exhausted, was_charged
from tocsin.errors import FieldError, InvalidInput
from tocsin.models.api_key import Scope
from tocsin.services.access import Caller, ServiceCaller, require_service
from tocsin.services.rate_limits import Activity

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., object])

MAX_BODY_BYTES: Final = 256 * 1024
"""Of a call that does not say otherwise. Its JSON is parsed in one go, and all other calls wait for that."""
_ONCE: Final = ("Authorization", "Idempotency-Key")


@dataclass(frozen=True, slots=True)
class _Admission:
    scopes: tuple[Scope, ...]
    activity: Activity
    body_names_inbox: bool
    only_service: bool
    stream_token: bool
    max_body_bytes: int | None

    def check(self, caller: Caller) -> None:
        if self.only_service:
            require_service(caller, *self.scopes)
        for scope in self.scopes:
            caller.require(scope)


_ADMISSIONS: Final[dict[Callable[..., object], _Admission]] = {}


def admits(
    *scopes: Scope,
    activity: Activity,
    body_names_inbox: bool = False,
    only_service: bool = False,
    stream_token: bool = False,
    max_body_bytes: int | None = MAX_BODY_BYTES,
) -> Callable[[_Endpoint], _Endpoint]:
    """Declare whom an endpoint lets in, and how much it reads; None stands for as much as the service is set to.

    ``stream_token``: also by a stream token in the query.

    The services ask for themselves. This is so that nobody makes us read what he may not send.

    ``activity`` says to which quotas its calls are charged. An endpoint whose ``body_names_inbox`` does that itself,
    by `charge`, with what the body says; if it comes to an end before, a unit is charged without.
    """

    def declare(endpoint: _Endpoint) -> _Endpoint:
        _ADMISSIONS[endpoint] = _Admission(
            scopes, activity, body_names_inbox, only_service, stream_token, max_body_bytes
        )
        return endpoint

    return declare


class GuardedRoute(APIRoute):
    """Asks who calls first, then refuses what FastAPI would pass over in silence.

    FastAPI reads and parses the body before it runs dependencies, so a dependency alone would tell strangers
    what is wrong with their JSON, and read megabytes for them. It also ignores query parameters that nobody asked
    for, and all but the last of those given twice: a filter with a typo would show everything.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - what FastAPI passes on
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), "security": [{BEARER.scheme_name: []}]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves the route."""
        handle = super().get_route_handler()
        known = frozenset(_query_names(self))
        takes_body = self.body_field is not None
        admission = _ADMISSIONS[self.endpoint]
        identify = authenticate_listener if admission.stream_token else authenticate

        async def guarded(request: Request) -> Response:
            check_headers(request)
            request.state.caller = caller = await identify(request)
            admission.check(caller)
            refuse_exhausted(request, caller, admission.activity)
            if not admission.body_names_inbox:
                await charge(request, caller, admission.activity, named_inbox(request, caller))
            try:
                if takes_body:
                    _check_content_type(request)
                check_query(request, known)
                return await handle(_call(request, admission.max_body_bytes if takes_body else None))
            except Exception:
                if not was_charged(request):
                    await charge(request, caller, admission.activity)
                raise

        return guarded


def named_inbox(request: HTTPConnection, caller: Caller) -> dict[UUID, int]:
    """Return what the path or the query names; what is no id is refused later."""
    name = request.path_params.get("user_id") or request.query_params.get("user_id")
    if name and isinstance(caller, ServiceCaller):
        with contextlib.suppress(ValueError):
            return {UUID(name): 1}
    return {}


def _query_names(route: APIRoute) -> Iterator[str]:
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias


def check_query(connection: HTTPConnection, known: Collection[str]) -> None:
    """Refuse parameters that are not ``known``, and those given twice."""
    given = connection.query_params
    errors = [FieldError(f"/{name}", "is not a known parameter", "query") for name in given if name not in known]
    errors += [
        FieldError(f"/{name}", "must be given once", "query")
        for name in given
        if name in known and len(given.getlist(name)) > 1
    ]
    if errors:
        raise InvalidInput(errors, findings.summary(errors, len(errors)))


def check_headers(connection: HTTPConnection) -> None:
    """Refuse headers that may come once, given twice."""
    for name in _ONCE:
        if len(connection.headers.getlist(name)) > 1:
            raise HTTPException(400, f"Send the header '{name}' once; which of them is meant cannot be told.")


def _call(request: Request, limit: int | None) -> Call:
    """Return what endpoints get of ``request``: a body that breaks off with a 413 beyond ``limit`` bytes."""
    if limit is None:
        return Call(request.scope, request.receive)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise body_too_large(limit)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise body_too_large(limit)
        return message

    return Call(request.scope, receive)


def _check_content_type(request: Request) -> None:
    length = request.headers.get("content-length", "")
    has_body = length not in {"", "0"} or "transfer-encoding" in request.headers
    if has_body and not _is_json(request.headers.get("content-type", "")):
        raise HTTPException(415)


def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))
