"""What a caller of the client may meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

_IN_VAIN = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


class ClientError(Exception):
    """Something went wrong between this program and the service.

    ``detail`` says what, and ``retryable`` whether the same call may succeed later.
    """

    def __init__(self, detail: str, *, retryable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after


class Unreachable(ClientError):
    """No answer came, or one that no Tocsin gives. What was asked for may or may not have been done."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with the input: ``pointer`` is a JSON pointer (RFC 6901) inside ``location``."""

    location: str
    pointer: str
    detail: str


class Problem(ClientError):
    """The service refused or failed, and said why (RFC 9457).

    Args:
        status: of HTTP.
        code: the kind of problem in one stable word; docs/api.md lists them. ``error`` if the answer names none.
        detail: what happened and what to do.
        errors: each thing wrong with the input.
        request_id: finds the call in the logs of the service.
        retry_after: seconds to wait before it is asked again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        passing = status == HTTPStatus.TOO_MANY_REQUESTS or (status >= 500 and status not in _IN_VAIN)
        super().__init__(detail, retryable=passing, retry_after=retry_after)
        self.status = status
        self.code = code
        self.errors = tuple(errors)
        self.request_id = request_id

    def with_errors(self, errors: Sequence[FieldProblem]) -> "Problem":
        """Return the same problem, with other ``errors``."""
        return Problem(self.status, self.code, self.detail, errors, self.request_id, self.retry_after)

    def __str__(self) -> str:
        found = "; ".join(f"{error.pointer} {error.detail}" for error in self.errors)
        return f"{self.detail} ({found})" if found else self.detail


class StreamRefused(ClientError):
    """The service ended the stream, and would do so again.

    Args:
        code: why, as a close code of the stream's protocol (4003, 4500 to 4999), or the HTTP status of a handshake
            that failed.
        reason: the same in one stable word.
        detail: what happened and what to do.
    """

    def __init__(self, code: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.reason = reason
