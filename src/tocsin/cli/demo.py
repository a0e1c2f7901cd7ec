"""``tocsin demo``: fill an inbox with a believable day."""

from typing import Annotated

import typer

from tocsin.cli.connection import DATA_DIR, DataDirOption, KeyOption, UrlOption, UserOption, find_connection


def demo(
    url: UrlOption = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DATA_DIR,
    user: UserOption = None,
    over: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=86_400,
            help="Spread the day over so many seconds.  [default: at once, but for a little that comes while you look]",
        ),
    ] = None,
) -> None:
    """Fill the demo inbox with a day of a small company, in English and Russian, some of it read."""
    # aiohttp and rich take a while to import; other commands need not wait for them.
    from tocsin.cli.calling import run
    from tocsin.cli.demo_day import load_day
    from tocsin.cli.playing import play
    from tocsin.client.retries import RetryPolicy

    connection = find_connection(url, key, data_dir)
    whose = connection.user(user)
    run(connection, RetryPolicy(deadline=30), lambda client: play(client, load_day(whose), over))
    typer.echo(f"Look at it with 'tocsin inbox' or 'tocsin watch', or at {connection.page_of(whose)}")
