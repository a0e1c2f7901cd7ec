"""What routes are given: the resources of the process, and who calls."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from tocsin.bootstrap import Resources
from tocsin.errors import FieldError, InvalidInput, Unauthenticated
from tocsin.services.access import Caller

_bearer = HTTPBearer(scheme_name="bearer", description="A service key (`tcs_…`) or an inbox token.", auto_error=False)


# A coroutine, though it awaits nothing: what is none, FastAPI runs in a thread of its own, for every request.
async def resources_of(request: Request) -> Resources:
    """Return the resources that the application opened at its start."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesOf = Annotated[Resources, Depends(resources_of)]


async def authenticate(connection: HTTPConnection) -> Caller:
    """Return who calls; raise `Unauthenticated` if nobody known does."""
    credentials = await _bearer(connection)
    if credentials is None:
        raise Unauthenticated
    resources: Resources = connection.app.state.resources
    return await resources.access.authenticate(credentials.credentials)


async def authenticate_listener(connection: HTTPConnection) -> Caller:
    """Return who wants to listen, by header or by the stream token in the query."""
    token = connection.query_params.get("token")
    if token is None:
        return await authenticate(connection)
    if "authorization" in connection.headers:
        raise InvalidInput([FieldError("/token", "must be left out beside the header 'Authorization'", "query")])
    resources: Resources = connection.app.state.resources
    return await resources.streams.authenticate(token)


async def caller_of(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return whom `GuardedRoute` let in; routes of any other kind have no caller."""
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]
