"""Routes of inboxes."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tocsin.controllers.conditional import NOT_MODIFIED, IfNoneMatch, tagged_by_content
from tocsin.controllers.dependencies import Call
from tocsin.controllers.guard import GuardedRoute, admits
from tocsin.controllers.problems import declare
from tocsin.controllers.v1.fields import UserId
from tocsin.controllers.v1.inbox_schemas import ChangesOut, InboxOut, TokenOut, TokenRequest
from tocsin.models.api_key import Scope
from tocsin.services.inboxes import MAX_CHANGES
from tocsin.services.rate_limits import Activity

router = APIRouter(prefix="/api/v1/inboxes", tags=["inboxes"], route_class=GuardedRoute)


@router.get(
    "/{user_id}",
    summary="Get an inbox",
    response_model=InboxOut,
    responses={**declare(400, 401, 403, 404, 422), **NOT_MODIFIED},
)
@admits(Scope.READ, activity=Activity.READ)
async def get(call: Call, user_id: UserId, if_none_match: IfNoneMatch = None) -> Response:
    """Version, position and exact unread counts."""
    overview = await call.resources.inboxes.overview(call.caller, user_id)
    return tagged_by_content(InboxOut.of(overview).model_dump_json().encode(), if_none_match)


@router.get("/{user_id}/changes", summary="Get what changed", responses=declare(400, 401, 403, 404, 422))
@admits(Scope.READ, activity=Activity.READ)
async def get_changes(
    call: Call,
    user_id: UserId,
    since: Annotated[str | None, Query(max_length=200, description="A position; without it, `reset`.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_CHANGES)] = 100,
) -> ChangesOut:
    """What changed after a position, deletions too."""
    return ChangesOut.of(await call.resources.inboxes.changes(call.caller, user_id, since, limit))


@router.post(
    "/{user_id}/tokens",
    status_code=201,
    summary="Mint an inbox token",
    responses=declare(400, 401, 403, 413, 415, 422),
)
@admits(Scope.READ, Scope.WRITE, activity=Activity.WRITE, only_service=True)
async def mint_token(call: Call, user_id: UserId, body: TokenRequest | None = None) -> TokenOut:
    """A token for a user's browser. Needs a service key with both scopes."""
    ttl = timedelta(seconds=body.ttl) if body and body.ttl else None
    return TokenOut.model_validate(call.resources.access.mint_inbox_token(call.caller, user_id, ttl))
