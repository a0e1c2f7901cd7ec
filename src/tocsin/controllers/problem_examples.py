"""What problems look like: one for each status, for the OpenAPI document."""

from typing import Any, Final

from tocsin import errors
from tocsin.controllers.problems import phrase

_CODES: Final = {
    400: ("malformed_request", "Send the header 'Authorization' once; which of them is meant cannot be told."),
    401: (errors.Unauthenticated.code, errors.Unauthenticated.__doc__),
    403: (errors.Forbidden.code, errors.Forbidden.__doc__),
    404: (errors.NotFound.code, errors.NotFound.__doc__),
    409: (errors.UndoExpired.code, errors.UndoExpired.__doc__),
    413: ("body_too_large", "The body has more than the 262144 bytes that this call takes; send less at once."),
    415: ("unsupported_media_type", "Send JSON, with the header 'Content-Type: application/json'."),
    422: (errors.InvalidInput.code, "The input does not fit: Limit."),
    429: (errors.RateLimited.code, "More than 60000 a minute were asked for with this service key; come back later."),
    500: ("internal_error", "This is our fault, not yours; the logs tell more under the request id."),
    503: (errors.DatabaseUnavailable.code, errors.DatabaseUnavailable.__doc__),
}
_MORE: Final[dict[int, dict[str, Any]]] = {
    422: {"errors": [{"in": "query", "pointer": "/Limit", "detail": "is not a known parameter"}]},
    429: {"violated-policies": ["key-write"]},
}


def make(status: int, path: str) -> dict[str, Any]:
    """Return a problem that a call of ``path`` may meet with this ``status``."""
    code, detail = _CODES[status]
    return {
        "type": f"urn:tocsin:problem:{code}",
        "title": phrase(status),
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": "5f0c2b1e",
        **_MORE.get(status, {}),
    }
