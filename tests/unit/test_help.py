"""The help of the commands."""

import pytest
from typer.testing import CliRunner

from tocsin.cli import app

COMMANDS = ("up", "send", "inbox", "watch", "demo", "serve", "worker", "mock-ai", "migrate", "restored", "keys")
KEYS = ("keys create", "keys list", "keys rotate", "keys revoke")


@pytest.mark.parametrize("command", ["", *COMMANDS, *KEYS])
def test_flags_take_no_value_and_times_are_no_riddles(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})

    assert shown.exit_code == 0
    assert "--help" in shown.output
    assert "<bool>" not in shown.output
    assert "%" not in shown.output
