"""``tocsin keys``, as an operator and his scripts use it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tocsin.cli import app

Keys = Callable[..., Result]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return {
        "TOCSIN_SECRET": os.urandom(32).hex(),
        "TOCSIN_DATABASE__URL": database_url,
        "TOCSIN_REDIS__BROKER_URL": "redis://127.0.0.1:1/0",
    }


@pytest.fixture
def keys(environment: Mapping[str, str]) -> Keys:
    """Runs ``tocsin keys …``."""
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments], env=environment)


def created(keys: Keys, *arguments: str) -> dict[str, Any]:
    result = keys("create", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def listed(keys: Keys) -> list[dict[str, Any]]:
    return list(json.loads(keys("list", "--json").stdout))


def test_a_new_key_is_all_that_standard_output_says(keys: Keys) -> None:
    result = keys("create", "billing")

    assert re.fullmatch(r"tcs_[\w-]{43}\n", result.stdout)
    assert listed(keys)[0]["id"] in result.stderr


def test_a_rotation_says_the_new_secret_and_what_becomes_of_the_old_one(keys: Keys) -> None:
    key = created(keys, "billing", "--scope", "notifications:read")

    result = keys("rotate", key["id"], "--grace", "12h")
    assert re.fullmatch(r"tcs_[\w-]{43}\n", result.stdout)
    assert result.stdout.strip() != key["key"]
    assert re.search(r"The one before is good until \d{4}-\d\d-\d\d \d\d:\d\dZ", result.stderr)
    (one,) = listed(keys)
    assert (one["id"], one["name"], one["scopes"]) == (key["id"], "billing", ["notifications:read"])
    until = datetime.fromisoformat(one["former_secret_until"]) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < until <= timedelta(hours=12)

    assert "The one before is good no more" in keys("rotate", key["id"], "--grace", "0").stderr
    again = json.loads(keys("rotate", key["id"], "--json").stdout)
    assert again["id"] == key["id"]
    assert again["key"].startswith("tcs_")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("5m", timedelta(minutes=5)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_a_key_expires_after_a_while(keys: Keys, given: str, expected: timedelta) -> None:
    expires_at = datetime.fromisoformat(created(keys, "trial", "--expires", given)["expires_at"])

    assert abs(expires_at - datetime.now(UTC) - expected) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2999-01-31", "2999-01-31T00:00:00+00:00"),
        ("2999-01-31T12:00:00+03:00", "2999-01-31T09:00:00+00:00"),
    ],
)
def test_a_key_expires_at_a_date(keys: Keys, given: str, expected: str) -> None:
    expires_at = datetime.fromisoformat(created(keys, "trial", "--expires", given)["expires_at"])

    assert expires_at.astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "x", "--expires", "soon"], "'--expires': 'soon' is neither"),
        (["create", "x", "--expires", "2001-01-01"], "expired already"),
        (["create", "x", "--expires", "0d"], "expired already"),
        (["create", " "], "1 to 100"),
        (["create", "a\nb"], "1 to 100"),
        (
            ["create", "x", "--scope", "everything"],
            "'--scope': 'everything' is not a valid Scope; known scopes are notifications:write, notifications:read",
        ),
        (["rotate", "018f2f6e-7c1a-7a53-9d2b-000000000001", "--grace", "-1d"], "'-1d' is no duration"),
        (["rotate", "018f2f6e-7c1a-7a53-9d2b-000000000001", "--grace", "999999999d"], "is no duration"),
        (["rotate", "nonsense"], "'KEY_ID': 'nonsense' is no UUID such as"),
        (["revoke", "nope"], "'KEY_ID': 'nope' is no UUID such as"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line_and_changes_nothing(keys: Keys, arguments: list[str], says: str) -> None:
    result = keys(*arguments)

    assert result.exit_code == 2
    assert says in result.stderr
    assert re.fullmatch(r"tocsin: .*\n", result.stderr)
    assert listed(keys) == []


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_not_found(keys: Keys, command: str) -> None:
    result = keys(command, "018f2f6e-7c1a-7a53-9d2b-000000000001")

    assert (result.exit_code, result.stdout) == (4, "")
    assert re.fullmatch(r"tocsin: There is no service key with the id 018f2f6e.*\n", result.stderr)


def test_another_program_gets_a_line_a_key_with_tabs(keys: Keys) -> None:
    key = created(keys, "billing")
    revoked = created(keys, "old thing", "--scope", "notifications:write")
    keys("revoke", revoked["id"])

    rows = [line.split("\t") for line in keys("list").stdout.splitlines()]

    assert [row[:4] for row in rows] == [
        [key["id"], "billing", "write read", "never"],
        [revoked["id"], "old thing", "write", "never"],
    ]
    assert rows[0][4] == "good"
    assert re.fullmatch(r"revoked \d{4}-\d\d-\d\d \d\d:\d\dZ", rows[1][4])


def test_an_operator_gets_a_table(keys: Keys, environment: Mapping[str, str]) -> None:
    created(keys, "billing", "--expires", "2999-01-31")
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "tocsin", "keys", "list"]
    with subprocess.Popen(
        command,
        env={**os.environ, **environment, "COLUMNS": "140", "NO_COLOR": "1", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        assert process.wait(60) == 0
    os.close(terminal)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", os.read(screen, 10_000).decode())
    os.close(screen)

    assert re.search(r"ID +NAME +SCOPES +LAST USED +STATE", shown), shown
    assert re.search(r"billing +write read +never +good until 2999-01-31 00:00Z", shown), shown
