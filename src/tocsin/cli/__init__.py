"""The ``tocsin`` command: one module a command, registered here."""

import typer

from tocsin.cli.mock_ai import mock_ai as _mock_ai

app = typer.Typer(
    help="Tocsin: a notification service that reads every notification with an AI before a person has to.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _root() -> None:
    """Keep the names of commands: without a callback, typer drops that of an only one."""


app.command("mock-ai")(_mock_ai)
