"""What all commands have in common: how their help looks, and how what does not fit is told."""

from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from tocsin.errors import NotFound, TocsinError

_INPUT: Final = 2
_NOT_FOUND: Final = 4


def _without_values(params: list[Any]) -> list[Any]:
    """Return ``params``; Typer's help says ``<bool>`` after a flag, as if it took one."""
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag:
            param.metavar = ""
    return params


class Command(TyperCommand):
    """A command whose help shows flags as flags."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as typer declares it
        """Return what can be given, ``--help`` too."""
        return _without_values(super().get_params(ctx))


class Group(TyperGroup):
    """Commands under one name, whose help shows flags as flags."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as typer declares it
        """Return what can be given, ``--help`` too."""
        return _without_values(super().get_params(ctx))


class Program(Group):
    """Commands whose failures are one line on standard error and an exit code of docs/cli.md."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer declares it
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except TocsinError as error:
            typer.echo(f"tocsin: {error.detail}", err=True)
            raise typer.Exit(_NOT_FOUND if isinstance(error, NotFound) else _INPUT) from None
        except typer.BadParameter as error:
            # Where Typer asks pydantic, it passes on what is for the eyes of whoever wrote the validator.
            error.message = error.message.removeprefix("Value error, ")
            typer.echo(f"tocsin: {error.format_message()}", err=True)
            raise typer.Exit(_INPUT) from None
