"""What routes are given: the call, with who makes it and the resources of the process."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from tocsin.bootstrap import Resources
from tocsin.errors import FieldError, InvalidInput, Unauthenticated
from tocsin.services.access import Caller

BEARER = HTTPBearer(scheme_name="bearer", description="A service key (`tcs_…`) or an inbox token.", auto_error=False)


class Call(Request):
    """A request that `GuardedRoute` let in. FastAPI hands it over as it is; what it must resolve takes its time."""

    @property
    def caller(self) -> Caller:
        """Who calls."""
        caller: Caller = self.state.caller
        return caller

    @property
    def resources(self) -> Resources:
        """What the application opened at its start."""
        resources: Resources = self.app.state.resources
        return resources


# A coroutine, though it awaits nothing: what is none, FastAPI runs in a thread of its own, for every request.
async def resources_of(request: Request) -> Resources:
    """Return the resources that the application opened at its start."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesOf = Annotated[Resources, Depends(resources_of)]


async def authenticate(connection: HTTPConnection) -> Caller:
    """Return who calls; raise `Unauthenticated` if nobody known does."""
    credentials = await BEARER(connection)
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
