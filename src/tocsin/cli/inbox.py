"""``tocsin inbox``: what is in an inbox."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tocsin.cli.connection import (
    DATA_DIR,
    DataDirOption,
    JsonOption,
    KeyOption,
    UrlOption,
    UserOption,
    find_connection,
)
from tocsin.cli.values import parse_time
from tocsin.errors import ConfigurationError

if TYPE_CHECKING:
    from tocsin.client.filters import Filters

CategoryOption = Annotated[Literal["critical", "warning", "info"] | None, typer.Option(help="Only what was judged so.")]


def inbox(
    url: UrlOption = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DATA_DIR,
    user: UserOption = None,
    category: CategoryOption = None,
    status: Annotated[
        Literal["pending", "processing", "completed", "failed"] | None, typer.Option(help="Only what is so far.")
    ] = None,
    read: Annotated[bool | None, typer.Option("--read/--unread", help="Only read, or only unread ones.")] = None,
    min_confidence: Annotated[float | None, typer.Option(min=0, max=1, help="Only what was judged so surely.")] = None,
    after: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Only what was created after this time of yours, as 2026-01-31 or '2026-01-31 12:00:00'.",
        ),
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(parser=parse_time, metavar="TIME", help="Only what was created before it.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Only what has these words.")] = None,
    order: Annotated[
        Literal["newest", "oldest", "severity", "relevance"],
        typer.Option(help="What comes first; severity: the worst; relevance: what fits --search best."),
    ] = "newest",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show an inbox, as a table on a terminal.

    In a pipe: a line for each, with tabs between id, time, category, confidence, read, source, title and text.
    """
    # aiohttp and rich take a while to import; other commands need not wait for them.
    from tocsin.cli.calling import run
    from tocsin.cli.listing import show
    from tocsin.client.retries import RetryPolicy

    if order == "relevance" and search is None:
        raise ConfigurationError("--order relevance is for what --search finds; say what to search")
    connection = find_connection(url, key, data_dir)
    whose = connection.user(user)
    filters: Filters = {
        "user_id": whose,
        "category": category,
        "status": status,
        "read": read,
        "min_confidence": min_confidence,
        "created_after": after and after.astimezone(UTC),
        "created_before": before and before.astimezone(UTC),
        "search": search,
        "order": order,
    }
    run(connection, RetryPolicy(deadline=10), lambda client: show(client, whose, filters, limit, as_json=as_json))
