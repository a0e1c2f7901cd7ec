"""The error tree.

Every failure that a caller can meet is a class here. The docstring is the message a reader gets when no
better one is given, ``code`` is the stable machine word, and ``retryable`` says whether the same call may
succeed later. There is no HTTP in this module: `tocsin.controllers.problems` maps classes to statuses, the
worker maps them to retries, the command line to exit codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with the input: ``pointer`` is a JSON pointer (RFC 6901) inside ``location``."""

    pointer: str
    detail: str
    location: str = "body"


class TocsinError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.retry_after = retry_after
        super().__init__(self.detail)


class InvalidInput(TocsinError):
    """The input does not fit."""

    code = "invalid_input"

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class UnstorableInput(InvalidInput):
    """The database cannot hold a value of this input."""

    code = "invalid_input"


class SearchMissing(InvalidInput):
    """Relevance is an order of what a search finds; say what to search in q."""

    code = "search_missing"


class IdempotencyKeyReused(InvalidInput):
    """This idempotency key was used before with a different body; use a new key for a new notification."""

    code = "idempotency_key_reused"


class InvalidCursor(TocsinError):
    """This cursor was not issued for these filters and this order; start again without one."""

    code = "invalid_cursor"


class InvalidPosition(TocsinError):
    """This position was not issued by this service; read the inbox again to get one."""

    code = "invalid_position"


class Unauthenticated(TocsinError):
    """Send 'Authorization: Bearer' with a service key or an inbox token."""

    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    """This inbox token has expired; ask the service that minted it for a new one."""

    code = "token_expired"


class Forbidden(TocsinError):
    """This credential does not allow the call."""

    code = "forbidden"


class NotFound(TocsinError):
    """There is nothing here that this credential may see."""

    code = "not_found"


class UndoExpired(TocsinError):
    """This notification was deleted too long ago to be restored."""

    code = "undo_expired"


class RateLimited(TocsinError):
    """This is more than a limit allows; come back later."""

    code = "rate_limited"
    retryable = True

    def __init__(self, detail: str, policies: Sequence[str], *, retry_after: float) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.policies = tuple(policies)


class TooManyStreams(RateLimited):
    """This inbox has as many streams as it may have."""

    code = "too_many_streams"


class Unavailable(TocsinError):
    """The service cannot do this right now; nothing was changed, try again."""

    code = "unavailable"
    retryable = True

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(detail, retry_after=retry_after)


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached; try again."""

    code = "database_unavailable"


class Overloaded(Unavailable):
    """More was sent than can be taken in right now; try again."""

    code = "overloaded"


class ServerStopping(Unavailable):
    """The service is about to stop or to start anew; come back."""

    code = "server_stopping"


class TooSlow(TocsinError):
    """You read more slowly than the inbox changes; come back with your position."""

    code = "too_slow"
    retryable = True


class UnexpectedMessage(TocsinError):
    """Clients of a stream send nothing."""

    code = "unexpected_message"


class AnalyzerError(TocsinError):
    """The AI gave no verdict."""

    code = "analyzer_error"
    counts: ClassVar[bool] = True
    """Whether a try that met it counts: not if the text cannot be to blame."""


class AnalyzerOutage(AnalyzerError):
    """The AI is not well; asking again later may work."""

    code = "analyzer_outage"
    retryable = True


class AnalyzerTimeout(AnalyzerOutage):
    """The AI did not answer in time."""

    code = "analyzer_timeout"


class AnalyzerUnreachable(AnalyzerOutage):
    """The AI could not be reached."""

    code = "analyzer_unreachable"
    counts = False


class AnalyzerBrokeOff(AnalyzerOutage):
    """The AI broke the connection off."""

    code = "analyzer_broke_off"


class AnalyzerFailing(AnalyzerOutage):
    """The AI answered with a server error."""

    code = "analyzer_failing"


class AnalyzerBusy(AnalyzerOutage):
    """The AI asked to be called less often."""

    code = "analyzer_busy"
    counts = False


class AnalyzerRefused(AnalyzerError):
    """The AI refused the text."""

    code = "analyzer_refused"


class AnalyzerUnintelligible(AnalyzerError):
    """The AI gave an answer that does not fit."""

    code = "analyzer_unintelligible"


class ConfigurationError(TocsinError):
    """The configuration does not fit."""

    code = "configuration"


class StartFailed(TocsinError):
    """A part of the service did not start."""

    code = "start_failed"
