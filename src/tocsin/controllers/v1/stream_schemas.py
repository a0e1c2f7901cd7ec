"""Streams on the wire: the messages of `tocsin.services.stream_messages` as JSON, and why a stream ends as a code."""

from typing import Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from tocsin import errors
from tocsin.controllers.v1.inbox_schemas import UnreadOut
from tocsin.controllers.v1.notification_schemas import NotificationOut
from tocsin.services.stream_messages import Change, Closing, Hello, Message, Ping, Reset
from tocsin.telemetry import STREAM_MESSAGES

_CODES: Final[dict[type[errors.TocsinError], tuple[int, str]]] = {
    errors.ServerStopping: (4000, "server_stopping"),
    errors.TooSlow: (4001, "too_slow"),
    errors.Unavailable: (4002, "unavailable"),
    errors.RateLimited: (4002, "unavailable"),
    errors.TokenExpired: (4003, "token_expired"),
    errors.TooManyStreams: (4004, "too_many_streams"),
    errors.Unauthenticated: (4500, "unauthenticated"),
    errors.NotFound: (4501, "not_found"),
    errors.Forbidden: (4502, "forbidden"),
    errors.InvalidInput: (4504, "invalid_input"),
    errors.InvalidPosition: (4504, "invalid_input"),
    errors.UnexpectedMessage: (4505, "unexpected_message"),
}
_FINAL_FROM: Final = 4500

Reason = Literal[
    "server_stopping",
    "too_slow",
    "unavailable",
    "token_expired",
    "too_many_streams",
    "unauthenticated",
    "not_found",
    "forbidden",
    "invalid_input",
    "unexpected_message",
]


class HelloOut(BaseModel):
    """The first message of a stream."""

    model_config = ConfigDict(title="Hello")

    type: Literal["hello"] = "hello"
    position: str = Field(description="Where the stream begins; hand in the last one you got as `since` next time.")
    unread: UnreadOut
    recovered: bool = Field(description="Whether it begins at your `since`.")


class ChangeOut(BaseModel):
    """A notification that changed, as it is at this version."""

    model_config = ConfigDict(title="Change")

    type: Literal["change"] = "change"
    position: str
    unread: UnreadOut
    notification: NotificationOut


class ResetOut(BaseModel):
    """What changed cannot be told one by one: load the list anew."""

    model_config = ConfigDict(title="Reset")

    type: Literal["reset"] = "reset"
    position: str
    unread: UnreadOut


class PingOut(BaseModel):
    """The stream is alive."""

    model_config = ConfigDict(title="Ping")

    type: Literal["ping"] = "ping"
    position: str


class CloseOut(BaseModel):
    """The stream ends."""

    model_config = ConfigDict(title="Close")

    type: Literal["close"] = "close"
    position: str | None = Field(description="Null if nothing was told before.")
    code: int = Field(ge=4000, le=4999, description="From 4500 on, do not come back.")
    reason: Reason
    detail: str
    retry_after: float | None = Field(description="Seconds after which to come back; null: do not.")


def code_of(error: errors.TocsinError) -> tuple[int, str]:
    """Return the close code of ``error``, and its reason in one word."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def retry_after_of(error: errors.TocsinError) -> float | None:
    """Return after how many seconds to come back, None if not at all."""
    return None if code_of(error)[0] >= _FINAL_FROM else error.retry_after or 0.0


def render(message: Message) -> str:
    """Return ``message`` as JSON; whoever else has it to send gets the same text."""
    if message.rendered is None:
        shown = _shown(message)
        message.rendered = shown.model_dump_json()
        STREAM_MESSAGES.labels(shown.type).inc()
    return message.rendered


def _shown(message: Message) -> HelloOut | ChangeOut | ResetOut | PingOut | CloseOut:
    match message:
        case Hello(position, unread, recovered):
            return HelloOut(position=str(position), unread=UnreadOut.model_validate(unread), recovered=recovered)
        case Change(position, unread, notification):
            return ChangeOut(
                position=str(position),
                unread=UnreadOut.model_validate(unread),
                notification=NotificationOut.of(notification),
            )
        case Reset(position, unread):
            return ResetOut(position=str(position), unread=UnreadOut.model_validate(unread))
        case Ping(position):
            return PingOut(position=str(position))
        case Closing(position, error):
            code, reason = code_of(error)
            return CloseOut(
                position=str(position) if position else None,
                code=code,
                reason=cast("Reason", reason),
                detail=_detail(error),
                retry_after=retry_after_of(error),
            )


def _detail(error: errors.TocsinError) -> str:
    found = error.errors if isinstance(error, errors.InvalidInput) else ()
    named = "; ".join(f"{item.pointer.lstrip('/')} {item.detail}" for item in found)
    return f"{error.detail.rstrip('.')}: {named}." if named else error.detail
