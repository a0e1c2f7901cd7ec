"""The ``tocsin`` command: one module a command, registered here."""

import typer

app = typer.Typer(
    help="Tocsin: a notification service that reads every notification with an AI before a person has to.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
