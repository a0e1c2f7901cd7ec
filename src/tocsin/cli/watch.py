"""``tocsin watch``: follow an inbox."""

from math import inf
from typing import Annotated

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
from tocsin.cli.inbox import CategoryOption


def watch(
    url: UrlOption = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DATA_DIR,
    user: UserOption = None,
    category: CategoryOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="POSITION", help="Begin with what changed after this position.")
    ] = None,
    last: Annotated[int, typer.Option(min=0, max=1_000, help="Begin with so many that are there already.")] = 10,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show notifications as they are judged, until Ctrl-C.

    A connection that breaks is made again, and nothing is missed. In a pipe: lines as of 'tocsin inbox'. As JSON: every
    message of the stream, whose 'position' may be handed to --since later.
    """
    # aiohttp and rich take a while to import; other commands need not wait for them.
    from tocsin.cli import watching
    from tocsin.cli.calling import run
    from tocsin.client.retries import RetryPolicy

    connection = find_connection(url, key, data_dir)
    whose = connection.user(user)
    # What is wrong with address, key or inbox is told now; whatever comes later passes.
    run(connection, RetryPolicy(deadline=10), lambda client: client.inbox(whose))
    for_ever = RetryPolicy(deadline=inf)
    if as_json:
        run(connection, for_ever, lambda client: watching.watch_json(client, whose, since, category))
    else:
        run(connection, for_ever, lambda client: watching.watch(client, whose, since, category, last))
