"""The ``tocsin`` command: one module a command, registered here."""

import typer

from tocsin.cli import keys
from tocsin.cli.commands import Command, Program
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

app = typer.Typer(
    cls=Program,
    help="Tocsin: a notification service that reads every notification with an AI before a person has to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # else every line of a docstring is one of its help
)
app.command(cls=Command)(up)
app.command(cls=Command)(send)
app.command(cls=Command)(inbox)
app.command(cls=Command)(watch)
app.command(cls=Command)(demo)
app.command(cls=Command)(serve)
app.command(cls=Command)(worker)
app.command("mock-ai", cls=Command)(mock_ai)
app.command(cls=Command)(migrate)
app.command(cls=Command)(restored)
app.add_typer(keys.app, name="keys")
