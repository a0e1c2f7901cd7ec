"""Secrets are random, come from files, and show nowhere."""

import json
import re
from pathlib import Path

import pytest

from tests.docker.stack import Stack

_OWN = "0123456789abcdef" * 4
_NAMES = ("postgres_password", "grafana_password", "tocsin_secret", "tocsin_database__url")


@pytest.fixture(scope="module")
def made(stack: Stack) -> dict[str, str]:
    """The secrets that the first start made."""
    return {name: stack.execute("api", "cat", f"/run/secrets/{name}") for name in _NAMES}


def test_the_first_start_makes_random_ones(made: dict[str, str]) -> None:
    passwords = [made[name] for name in ("postgres_password", "grafana_password", "tocsin_secret")]

    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in passwords)
    assert len(set(passwords)) == 3
    assert made["tocsin_database__url"] == f"postgresql://tocsin:{made['postgres_password']}@postgres:5432/tocsin"


def test_another_start_keeps_them(made: dict[str, str], stack: Stack) -> None:
    stack.compose("run", "--rm", "--no-deps", "secrets")

    assert {name: stack.execute("api", "cat", f"/run/secrets/{name}") for name in _NAMES} == made


def test_none_shows_in_containers_images_and_logs(made: dict[str, str], key: str, stack: Stack) -> None:
    containers = stack.compose("ps", "--all", "--quiet").split()
    image = stack.inspect(stack.id("api"))["Image"]
    shown = "\n".join(
        [
            *(json.dumps(stack.inspect(container)) for container in containers),
            json.dumps(stack.inspect(image)),
            stack.docker("history", "--no-trunc", image),
            stack.compose("config"),
            stack.logs(),
            *(stack.docker("top", container) for container in stack.compose("ps", "--quiet").split()),
        ]
    )

    for name, secret in {**made, "key": key}.items():
        assert secret not in shown, name


def test_a_reader_cannot_change_them(stack: Stack) -> None:
    assert stack.execute("api", "sh", "-c", "echo x 2>&1 >/run/secrets/tocsin_secret || echo refused").endswith(
        "refused"
    )


_SHOW = "from tocsin.settings import *; print(load_settings(Settings).secret.get_secret_value())"


def test_one_in_the_environment_counts_more(stack: Stack) -> None:
    run = ("run", "--rm", "--no-deps", "--env", f"TOCSIN_SECRET={_OWN}", "--entrypoint", "python", "api")

    assert stack.compose(*run, "-c", _SHOW) == _OWN


def test_none_has_a_default(stack: Stack) -> None:
    with pytest.raises(AssertionError) as refused:
        stack.compose("run", "--rm", "--no-deps", "--env", "TOCSIN_SECRETS_DIR=/tmp", "api", "serve")

    assert "TOCSIN_SECRET:" in str(refused.value)
    assert "TOCSIN_DATABASE__URL:" in str(refused.value)


def test_ones_own_are_taken_from_a_folder(stack: Stack, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in _NAMES:
        (own / name).write_text("postgresql://tocsin:x@postgres/tocsin" if name.endswith("url") else _OWN)
        (own / name).chmod(0o444)
    other = Stack(f"{stack.name}-own", tmp_path / "clone", stack.variables | {"TOCSIN_SECRETS": str(own)})
    try:
        other.compose("run", "--rm", "--no-deps", "secrets")
        said = other.compose("run", "--rm", "--no-deps", "--entrypoint", "python", "api", "-c", _SHOW)
    finally:
        other.remove()

    assert said == _OWN
