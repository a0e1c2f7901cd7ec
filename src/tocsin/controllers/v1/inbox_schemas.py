"""Inboxes on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tocsin.controllers.v1.fields import Input, Number
from tocsin.controllers.v1.notification_schemas import NotificationOut
from tocsin.services.inboxes import Changes, InboxOverview

TOKEN_TTL_MAX = 86_400


class UnreadOut(BaseModel):
    """Exact numbers of unread notifications."""

    model_config = ConfigDict(from_attributes=True, title="Unread")

    total: int
    critical: int
    warning: int
    info: int
    unjudged: int = Field(description="Not judged yet, or the analysis failed.")


class InboxOut(BaseModel):
    """An inbox at one moment."""

    model_config = ConfigDict(title="Inbox")

    user_id: UUID
    version: int = Field(description="Counts the changes of this inbox; 0 if nobody wrote to it yet.")
    position: str = Field(description="Hand it in as `since` or `up_to`; do not look inside.")
    unread: UnreadOut

    @classmethod
    def of(cls, overview: InboxOverview) -> "InboxOut":
        """Return what is shown of ``overview``."""
        return cls(
            user_id=overview.user_id,
            version=overview.position.version,
            position=str(overview.position),
            unread=UnreadOut.model_validate(overview.unread),
        )


class ChangesOut(BaseModel):
    """What changed in an inbox, oldest change first; each item is the whole state, so only the newest per id counts."""

    model_config = ConfigDict(title="Changes")

    items: list[NotificationOut]
    position: str = Field(description="Hand it in as `since` next time.")
    reset: bool = Field(description="The changes cannot be told; load the list anew and go on from `position`.")
    more: bool = Field(description="Another page follows; ask again with `position`.")
    unread: UnreadOut = Field(description="The present counts.")

    @classmethod
    def of(cls, changes: Changes) -> "ChangesOut":
        """Return what is shown of ``changes``."""
        return cls(
            items=[NotificationOut.of(notification) for notification in changes.notifications],
            position=str(changes.position),
            reset=changes.reset,
            more=changes.more,
            unread=UnreadOut.model_validate(changes.overview.unread),
        )


class TokenRequest(Input):
    """How long a token is to live."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ttl": 3600}]})

    ttl: Annotated[int, Field(ge=1, le=TOKEN_TTL_MAX), Number] | None = Field(
        None, description="Seconds; the service's default if left out."
    )


class TokenOut(BaseModel):
    """An inbox token."""

    model_config = ConfigDict(from_attributes=True, title="InboxToken")

    token: str = Field(description="For `Authorization: Bearer`, in this inbox only.")
    expires_at: datetime
