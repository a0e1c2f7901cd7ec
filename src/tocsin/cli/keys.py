"""``tocsin keys``: make, list, rotate and revoke service keys."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from tocsin.cli.commands import Command, Group
from tocsin.cli.durations import parse_duration, parse_moment
from tocsin.cli.values import parse_id

if TYPE_CHECKING:
    from tocsin.models.api_key import ApiKey
    from tocsin.services.access import AccessService

app = typer.Typer(cls=Group, help="Make, list, rotate and revoke service keys.", no_args_is_help=True)

_Result = TypeVar("_Result")
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
_KeyId = Annotated[
    UUID, typer.Argument(parser=parse_id, metavar="KEY_ID", help="The id of the key, from 'tocsin keys list'.")
]


@app.command(cls=Command)
def create(
    name: Annotated[str, typer.Argument(help="Which program will use it.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="notifications:write or notifications:read; both if left out.")
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment, metavar="WHEN", help="After 90d, 12h, …, or at 2030-01-31; never if left out."
        ),
    ] = None,
    *,
    as_json: _AsJson = False,
) -> None:
    """Make a service key. It is shown once; only its hash is kept."""
    # SQLAlchemy takes a while to import; other commands need not wait for it.
    from tocsin.models.api_key import Scope

    try:
        scopes = [Scope(item) for item in scope] if scope else list(Scope)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; known scopes are {', '.join(Scope)}.", param_hint="'--scope'") from None
    key, secret = _with_access(lambda access: access.create_key(name, scopes, expires))
    _show_secret(key, secret, "", as_json=as_json)


@app.command("list", cls=Command)
def list_keys(*, as_json: _AsJson = False) -> None:
    """List all service keys, those too that are revoked or have expired."""
    # It takes a while to import, and the API does without it.
    from tocsin.cli.key_table import print_keys

    keys = _with_access(lambda access: access.list_keys())
    if as_json:
        typer.echo(json.dumps([_describe(item.key, item.former_until) for item in keys]))
    else:
        print_keys(keys)


@app.command(cls=Command)
def rotate(
    key_id: _KeyId,
    grace: Annotated[
        timedelta | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="How long secrets of before are good; 0: no more.",
            show_default="1d",
        ),
    ] = None,
    *,
    as_json: _AsJson = False,
) -> None:
    """Give a service key a new secret; name, scopes, id and what is kept by it stay. It is shown once."""
    overlap = timedelta(days=1) if grace is None else grace
    key, secret = _with_access(lambda access: access.rotate_key(key_id, overlap))
    until = f"until {datetime.now(UTC) + overlap:%Y-%m-%d %H:%MZ}" if overlap else "no more"
    former = f" The one before is good {until}."
    _show_secret(key, secret, former, as_json=as_json)


@app.command(cls=Command)
def revoke(key_id: _KeyId) -> None:
    """Make a service key worthless at once, with all secrets it ever had."""
    key = _with_access(lambda access: access.revoke_key(key_id))
    typer.echo(f"The key {key.id} ({key.name}) is revoked.")


def _show_secret(key: "ApiKey", secret: str, more: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"key": secret, **_describe(key)}))
        return
    typer.echo(secret)
    typer.echo(f"Keep it safe: it is not shown again. Its id is {key.id}.{more}", err=True)


def _with_access(use: "Callable[[AccessService], Awaitable[_Result]]") -> _Result:
    # SQLAlchemy takes a while to import; other commands need not wait for it.
    from tocsin.bootstrap import build_access, open_database, require_schema
    from tocsin.settings import Settings, load_settings

    async def run() -> _Result:
        settings = load_settings(Settings)
        await require_schema(settings)
        async with open_database(settings, "tocsin-keys") as database:
            return await use(build_access(settings, database))

    return asyncio.run(run())


def _describe(key: "ApiKey", former_until: datetime | None = None) -> dict[str, str | list[str] | None]:
    names = ("created_at", "last_used_at", "revoked_at", "expires_at")
    times = {name: getattr(key, name) for name in names} | {"former_secret_until": former_until}
    return {
        "id": str(key.id),
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: time.isoformat(timespec="seconds") if time else None for name, time in times.items()},
    }
