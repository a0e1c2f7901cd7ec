"""Routes of notifications."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.convertors import Convertor, register_url_convertor

from tocsin.controllers.conditional import NOT_MODIFIED, IfNoneMatch, knows, tagged, tagged_by_content
from tocsin.controllers.dependencies import Call
from tocsin.controllers.guard import GuardedRoute, admits
from tocsin.controllers.problems import declare
from tocsin.controllers.rate_limits import charge
from tocsin.controllers.v1.fields import IdempotencyKey, NotificationId
from tocsin.controllers.v1.notification_schemas import (
    WAIT_MAX,
    BatchCreate,
    BatchOut,
    ListQuery,
    MarkedRead,
    MarkRead,
    NotificationCreate,
    NotificationList,
    NotificationOut,
    StatusOut,
)
from tocsin.errors import FieldError, IdempotencyKeyReused
from tocsin.models.api_key import Scope
from tocsin.models.notification import IDEMPOTENCY_KEY_MAX
from tocsin.services.pages import Page, PageQuery, own_inbox
from tocsin.services.rate_limits import Activity

router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"], route_class=GuardedRoute)

_INDEX_DIGITS = 4


class _NotificationId(Convertor[str]):
    """Leaves the paths beside the ids alone: GET of one of those is a wrong method, not a wrong id."""

    regex = "(?!(?:batch|read)(?:/|$))[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("notification_id", _NotificationId())
_KEY_HEADER = Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")]
_BATCH_KEY_HEADER = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key",
        max_length=IDEMPOTENCY_KEY_MAX - _INDEX_DIGITS,
        description="`K` stands for `K#0`, `K#1`, … as the keys of the items that have none of their own.",
    ),
]
_REPLAYED = {
    "Location": {"description": "Where the notification is.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` if an earlier call with this key had made it.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_LINKS = {
    name: {
        "operationId": f"notifications_{name}",
        "parameters": {"notification_id": "$response.body#/id"},
    }
    for name in ("get", "get_status", "mark_read", "mark_unread", "analyse_again", "delete", "restore")
} | {"inbox": {"operationId": "inboxes_get", "parameters": {"user_id": "$response.body#/user_id"}}}


@router.post(
    "",
    status_code=201,
    summary="Create a notification",
    responses={201: {"headers": _REPLAYED, "links": _LINKS}, **declare(400, 401, 403, 413, 415, 422)},
)
@admits(Scope.WRITE, activity=Activity.WRITE, body_names_inbox=True, only_service=True)
async def create(
    call: Call,
    body: NotificationCreate,
    response: Response,
    idempotency_key: _KEY_HEADER = None,
) -> NotificationOut:
    """Store it and have it analysed. After the `201` it is never lost; with an `Idempotency-Key` repeats are safe."""
    await charge(call, call.caller, Activity.WRITE, {body.user_id: 1})
    try:
        accepted = await call.resources.intake.accept(call.caller, body.draft(idempotency_key))
    except IdempotencyKeyReused as error:
        found = FieldError("/Idempotency-Key", "was used before with a different body", "header")
        raise IdempotencyKeyReused([found], error.detail) from None
    response.headers["Location"] = f"/api/v1/notifications/{accepted.notification.id}"
    if accepted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return NotificationOut.of(accepted.notification)


@router.post(
    "/batch",
    status_code=201,
    summary="Create many notifications",
    responses=declare(400, 401, 403, 413, 415, 422),
)
@admits(Scope.WRITE, activity=Activity.WRITE, body_names_inbox=True, only_service=True, max_body_bytes=None)
async def create_batch(
    call: Call,
    body: BatchCreate,
    idempotency_key: _BATCH_KEY_HEADER = None,
) -> BatchOut:
    """Store up to 1000 notifications, all or none. To the rate limits each counts as one."""
    await charge(call, call.caller, Activity.WRITE, Counter(item.user_id for item in body.items))
    drafts = [
        item.draft(item.idempotency_key or (f"{idempotency_key}#{index}" if idempotency_key else None))
        for index, item in enumerate(body.items)
    ]
    accepted = await call.resources.intake.accept_all(call.caller, drafts)
    return BatchOut(
        items=[NotificationOut.of(item.notification) for item in accepted],
        replayed=[index for index, item in enumerate(accepted) if item.replayed],
    )


@router.get(
    "",
    summary="List notifications",
    response_model=NotificationList,
    responses={**declare(400, 401, 403, 404, 422), **NOT_MODIFIED},
)
@admits(Scope.READ, activity=Activity.READ)
async def list_notifications(
    call: Call,
    query: Annotated[ListQuery, Query()],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One page, by filters; worst first with `order=severity`."""
    user_id = own_inbox(call.caller, query.user_id)
    wanted = PageQuery(query.filter(user_id), query.order, query.limit, query.cursor)
    page = await call.resources.pages.page(call.caller, wanted, _render, knows(if_none_match))
    return tagged(page.body, page.etag)


@router.post("/read", summary="Mark many read", responses=declare(400, 401, 403, 404, 413, 415, 422))
@admits(Scope.WRITE, activity=Activity.WRITE, body_names_inbox=True)
async def mark_many_read(call: Call, body: MarkRead) -> MarkedRead:
    """Mark read what matches in one inbox; with `up_to` only what the reader can have seen."""
    await charge(call, call.caller, Activity.WRITE, {body.user_id: 1})
    return MarkedRead.model_validate(await call.resources.inboxes.mark_all_read(call.caller, body.filter(), body.up_to))


@router.get(
    "/{notification_id:notification_id}",
    summary="Get a notification",
    response_model=NotificationOut,
    responses={**declare(400, 401, 403, 404, 422), **NOT_MODIFIED},
)
@admits(Scope.READ, activity=Activity.READ)
async def get(call: Call, notification_id: NotificationId, if_none_match: IfNoneMatch = None) -> Response:
    """Everything known of it."""
    notification = await call.resources.notifications.get(call.caller, notification_id)
    return tagged_by_content(NotificationOut.of(notification).model_dump_json().encode(), if_none_match)


@router.get(
    "/{notification_id:notification_id}/status",
    summary="Get the status of an analysis",
    response_model=StatusOut,
    responses={**declare(400, 401, 403, 404, 422), **NOT_MODIFIED},
)
@admits(Scope.READ, activity=Activity.READ)
async def get_status(
    call: Call,
    notification_id: NotificationId,
    wait: Annotated[
        float, Query(ge=0, le=WAIT_MAX, allow_inf_nan=False, description="Seconds to wait until it is final.")
    ] = 0,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """How far its analysis is; with `wait`, as soon as that is final."""
    status = await call.resources.notifications.status(call.caller, notification_id, wait)
    return tagged_by_content(StatusOut.of(status).model_dump_json().encode(), if_none_match)


@router.post("/{notification_id:notification_id}/read", summary="Mark read", responses=declare(400, 401, 403, 404, 422))
@admits(Scope.READ, Scope.WRITE, activity=Activity.WRITE)
async def mark_read(call: Call, notification_id: NotificationId) -> NotificationOut:
    """Note that it was seen; again changes nothing. A service key needs both scopes."""
    return NotificationOut.of(await call.resources.notifications.mark_read(call.caller, notification_id))


@router.post(
    "/{notification_id:notification_id}/unread", summary="Mark unread", responses=declare(400, 401, 403, 404, 422)
)
@admits(Scope.READ, Scope.WRITE, activity=Activity.WRITE)
async def mark_unread(call: Call, notification_id: NotificationId) -> NotificationOut:
    """Note that it is to be seen again; again changes nothing. A service key needs both scopes."""
    return NotificationOut.of(await call.resources.notifications.mark_unread(call.caller, notification_id))


@router.post(
    "/{notification_id:notification_id}/analysis",
    status_code=202,
    summary="Analyse again",
    responses=declare(400, 401, 403, 404, 422),
)
@admits(Scope.READ, Scope.WRITE, activity=Activity.ANALYSIS)
async def analyse_again(call: Call, notification_id: NotificationId) -> NotificationOut:
    """Have it judged anew; the old verdict stays until then. What still waits for its analysis is left alone.

    A service key needs both scopes.
    """
    return NotificationOut.of(await call.resources.notifications.analyse_again(call.caller, notification_id))


@router.delete(
    "/{notification_id:notification_id}", status_code=204, summary="Delete", responses=declare(400, 401, 403, 404, 422)
)
@admits(Scope.WRITE, activity=Activity.WRITE)
async def delete(call: Call, notification_id: NotificationId) -> None:
    """Take it out of the inbox; it can be restored for a while."""
    await call.resources.notifications.delete(call.caller, notification_id)


@router.post(
    "/{notification_id:notification_id}/restore",
    summary="Undo a deletion",
    responses=declare(400, 401, 403, 404, 409, 422),
)
@admits(Scope.READ, Scope.WRITE, activity=Activity.WRITE)
async def restore(call: Call, notification_id: NotificationId) -> NotificationOut:
    """Put it back into the inbox; `409` if it was deleted too long ago. A service key needs both scopes."""
    return NotificationOut.of(await call.resources.notifications.restore(call.caller, notification_id))


def _render(page: Page) -> bytes:
    return NotificationList.model_validate(page).model_dump_json().encode()
