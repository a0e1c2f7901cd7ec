"""Errors as `application/problem+json` (RFC 9457), in one place for every 4xx and 5xx."""

import http
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tocsin import errors
from tocsin.controllers import findings
from tocsin.telemetry import current_request_id

MEDIA_TYPE: Final = "application/problem+json"
_log = structlog.get_logger(__name__)

_STATUS: Final[dict[type[errors.TocsinError], int]] = {
    errors.InvalidInput: 422,
    errors.InvalidCursor: 400,
    errors.InvalidPosition: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.UndoExpired: 409,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
}
# The words of RFC 9110, which Python knows since 3.13.
_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
_CODES: Final = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    426: "upgrade_required",
}
_DETAILS: Final = {
    404: "There is nothing at this path; see /docs for what there is.",
    405: "This path does not take this method; the Allow header lists those it takes.",
    415: "Send JSON, with the header 'Content-Type: application/json'.",
}


_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
_MAX_ERRORS: Final = 100
"""Whoever sends a million unknown fields need not be told of each."""


class ProblemError(BaseModel):
    """One thing wrong with the input."""

    location: str = Field(alias="in", description="`body`, `query`, `path` or `header`.", examples=["body"])
    pointer: str = Field(description="JSON pointer (RFC 6901) to the value in there.", examples=["/title"])
    detail: str = Field(description="What is wrong with it.", examples=["must not be blank"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="Identifies the kind of problem.", examples=["urn:tocsin:problem:invalid_input"])
    title: str = Field(description="The HTTP status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What happened and what to do.", examples=["The input does not fit."])
    instance: str = Field(description="The path that was called.", examples=["/api/v1/notifications"])
    code: str = Field(description="The kind of problem in one stable word.", examples=["invalid_input"])
    request_id: str | None = Field(description="Finds the call in the logs.", examples=["5f0c2b1e"])
    errors: list[ProblemError] | None = Field(None, description="Each thing wrong with the input.")
    violated_policies: list[str] | None = Field(
        None,
        alias="violated-policies",
        description="Of `429`: the limits that it was too much for, as the header `RateLimit-Policy` calls them.",
        examples=[["key-write"]],
    )


def phrase(status: int) -> str:
    """Return what the status is called in RFC 9110."""
    return _PHRASES.get(status) or http.HTTPStatus(status).phrase


def declare(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses for ``statuses`` and those that any call may meet; who proves himself meets limits."""
    limited = {429} if 401 in statuses else set()
    return {
        status: {
            "description": phrase(status),
            # No "model": FastAPI would promise application/json beside it, which is never sent.
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in sorted({*statuses, *limited, 500, 503})
    }


def schemas() -> dict[str, Any]:
    """Return the OpenAPI components that `declare` refers to."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**problem.pop("$defs"), "Problem": problem}


def problem_response(
    path: str,
    status: int,
    code: str,
    detail: str,
    found: Sequence[errors.FieldError] = (),
    headers: Mapping[str, str] | None = None,
    violated_policies: Sequence[str] = (),
) -> Response:
    """Return the response that tells of a problem."""
    problem = Problem(
        type=f"urn:tocsin:problem:{code}",
        title=phrase(status),
        status=status,
        detail=detail,
        instance=path,
        code=code,
        request_id=current_request_id(),
        errors=[ProblemError(**{"in": e.location, "pointer": e.pointer, "detail": e.detail}) for e in found] or None,
        **{"violated-policies": list(violated_policies) or None},
    )
    body = problem.model_dump_json(exclude_none=True, by_alias=True)
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def body_too_large(limit: int) -> HTTPException:
    """Return what to raise when a body has more than ``limit`` bytes."""
    return HTTPException(413, f"The body has more than the {limit} bytes that this call takes; send less at once.")


def install(app: FastAPI) -> None:
    """Render every error of ``app`` as a problem; unexpected ones are caught by the edge."""
    app.add_exception_handler(errors.TocsinError, _on_tocsin_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_tocsin_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.TocsinError):
        raise error
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("call_failed", code=error.code, detail=error.detail)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    found = error.errors if isinstance(error, errors.InvalidInput) else ()
    violated = error.policies if isinstance(error, errors.RateLimited) else ()
    return problem_response(request.url.path, status, error.code, error.detail, found, headers, violated)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        where = problems[0]["loc"][-1]
        why = problems[0].get("ctx", {}).get("error", "it cannot be read")
        return _malformed(request, f"{why} (at character {where})")
    found = [findings.make(problem) for problem in problems[:_MAX_ERRORS]]
    return problem_response(request.url.path, 422, "invalid_input", findings.summary(found, len(problems)), found)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    headers = dict(error.headers or {})
    match status, error.__cause__:
        case 400, Exception() as cause:
            return _malformed(request, _why_unreadable(cause))
        case 405, _:
            headers["Allow"] = ", ".join(allowed_methods(request))
        case _:
            pass
    detail = _DETAILS.get(status) or str(error.detail)
    return problem_response(request.url.path, status, _CODES.get(status, "error"), detail, headers=headers)


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes at the path; a 405 of the framework knows those of one of them."""
    allowed: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(request.url.path):
            # A mount has no methods; ours serve files.
            allowed |= getattr(route, "methods", None) or {"GET"}
    return sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))


def _malformed(request: Request, why: str) -> Response:
    return problem_response(request.url.path, 400, "malformed_json", f"The body is not JSON: {why}.")


def _why_unreadable(cause: Exception) -> str:
    match cause:
        case UnicodeError():
            return "it is not encoded as UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case ValueError():
            return "a number in it has too many digits"
        case _:
            return "it ended too early"
