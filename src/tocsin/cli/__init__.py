"""The ``tocsin`` command: one module a command, registered here."""

from typing import Any

import typer
from typer.core import TyperGroup

from tocsin.cli import keys
from tocsin.cli.demo import demo
from tocsin.cli.inbox import inbox
from tocsin.cli.migrate import migrate
from tocsin.cli.mock_ai import mock_ai
from tocsin.cli.restored import restored
from tocsin.cli.send import send
from tocsin.cli.serve import serve
from tocsin.cli.up import up
from tocsin.cli.watch import watch
from tocsin.cli.worker import worker
from tocsin.errors import TocsinError


class _Commands(TyperGroup):
    """Commands whose failures are one line on standard error and exit code 2."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer declares it
        try:
            return super().invoke(ctx)
        except TocsinError as error:
            typer.echo(f"tocsin: {error.detail}", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=_Commands,
    help="Tocsin: a notification service that reads every notification with an AI before a person has to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # else every line of a docstring is one of its help
)
app.command()(up)
app.command()(send)
app.command()(inbox)
app.command()(watch)
app.command()(demo)
app.command()(serve)
app.command()(worker)
app.command("mock-ai")(mock_ai)
app.command()(migrate)
app.command()(restored)
app.add_typer(keys.app, name="keys")
