"""``tocsin keys``: make, list and revoke service keys."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

if TYPE_CHECKING:
    from tocsin.models.api_key import ApiKey
    from tocsin.services.access import AccessService

app = typer.Typer(help="Make, list and revoke service keys.", no_args_is_help=True)

_Result = TypeVar("_Result")
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Which program will use it.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="notifications:write or notifications:read; both if left out.")
    ] = None,
    *,
    as_json: _AsJson = False,
) -> None:
    """Make a service key. It is shown once; only its hash is kept."""
    # SQLAlchemy takes a while to import; other commands need not wait for it.
    from tocsin.errors import FieldError, InvalidInput
    from tocsin.models.api_key import Scope

    try:
        scopes = [Scope(item) for item in scope] if scope else list(Scope)
    except ValueError as error:
        known = ", ".join(Scope)
        raise InvalidInput([FieldError("/scope", str(error))], f"{error}; known scopes are {known}.") from None
    key, secret = _with_access(lambda access: access.create_key(name, scopes))
    if as_json:
        typer.echo(json.dumps({"key": secret, **_describe(key)}))
    else:
        typer.echo(secret)
        typer.echo(f"Keep it safe: it is not shown again. Its id is {key.id}.", err=True)


@app.command("list")
def list_keys(*, as_json: _AsJson = False) -> None:
    """List all service keys, revoked ones too."""
    keys = [_describe(key) for key in _with_access(lambda access: access.list_keys())]
    if as_json:
        typer.echo(json.dumps(keys))
        return
    for key in keys:
        state = f"revoked {key['revoked_at']}" if key["revoked_at"] else f"last used {key['last_used_at'] or 'never'}"
        typer.echo(f"{key['id']}  {key['name']}  [{', '.join(map(str, key['scopes'] or []))}]  {state}")


@app.command()
def revoke(key_id: Annotated[UUID, typer.Argument(help="The id of the key, from 'tocsin keys list'.")]) -> None:
    """Make a service key worthless at once."""
    key = _with_access(lambda access: access.revoke_key(key_id))
    typer.echo(f"The key {key.id} ({key.name}) is revoked.")


def _with_access(use: "Callable[[AccessService], Awaitable[_Result]]") -> _Result:
    # SQLAlchemy takes a while to import; other commands need not wait for it.
    from tocsin.bootstrap import build_access, open_database
    from tocsin.settings import Settings, load_settings

    async def run() -> _Result:
        settings = load_settings(Settings)
        async with open_database(settings, "tocsin-keys") as database:
            return await use(build_access(settings, database))

    return asyncio.run(run())


def _describe(key: "ApiKey") -> dict[str, str | list[str] | None]:
    times = {name: getattr(key, name) for name in ("created_at", "last_used_at", "revoked_at")}
    return {
        "id": str(key.id),
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: time.isoformat(timespec="seconds") if time else None for name, time in times.items()},
    }
