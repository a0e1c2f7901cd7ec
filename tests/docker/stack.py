"""compose.yaml as an operator runs it, as a project that nobody else uses."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.house.source import ROOT

_UP_WITHIN = 240
Inspection = dict[str, Any]


class Stack:
    """Calls `docker compose` for one project. ``variables`` are those of compose.yaml.

    The project is a folder of its own, with what compose.yaml needs of this one: a fresh clone has no ``.env``.
    """

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.variables = variables
        for part in ("compose.yaml", "Dockerfile", ".dockerignore", "deploy", "src", "pyproject.toml", "README.md"):
            _copy(ROOT / part, folder / part)
        for part in ("LICENSE", "requirements.lock", "requirements-build.lock"):
            _copy(ROOT / part, folder / part)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "COMPOSE_"))}
        self._environment = own | {"COMPOSE_PROJECT_NAME": name, "BUILDKIT_PROGRESS": "plain"} | variables

    def docker(self, *arguments: str, within: float = 60) -> str:
        """Call `docker` and return what it says; what fails, fails the test."""
        ended = subprocess.run(
            ("docker", *arguments),
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if ended.returncode:
            raise AssertionError(f"docker {' '.join(arguments)}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout.strip()

    def compose(self, *arguments: str, within: float = 120) -> str:
        return self.docker("compose", *arguments, within=within)

    def up(self, *arguments: str) -> None:
        """Bring everything up, and wait until it is healthy."""
        self.compose("up", "--wait", "--wait-timeout", str(_UP_WITHIN), *arguments, within=_UP_WITHIN + 60)

    def scale(self, **counts: int) -> None:
        """Run as many containers of services as told, as they are, and nothing else."""
        scales = [part for service, count in counts.items() for part in ("--scale", f"{service}={count}")]
        self.up("--no-deps", "--no-recreate", *scales, *counts)

    def run_script(self, *arguments: str, within: float = 120, status: int = 0) -> str:
        """Run a script of deploy/ as an operator does, and return what it says; it must end with ``status``."""
        ended = subprocess.run(
            arguments,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
        assert ended.returncode == status, ended.stdout
        return ended.stdout

    def ids(self, service: str, *options: str) -> list[str]:
        """Return the running containers of a service; with ``--all`` those that ended, too."""
        return self.compose("ps", "--quiet", *options, service).split()

    def id(self, service: str) -> str:
        (container,) = self.ids(service)
        return container

    def inspect(self, container: str) -> Inspection:
        """Return what the engine knows of a container, an image or a network."""
        (found,) = json.loads(self.docker("inspect", container))
        return dict(found)

    def logs(self, *arguments: str) -> str:
        """Return what containers said, of all services unless some are named."""
        # Some versions of Compose clear each line of the terminal that there is not.
        return self.compose("--profile", "*", "logs", "--no-color", *arguments).replace("\x1b[2K", "")

    def execute(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def health(self) -> str:
        """Return what the last checks of those said that are not healthy."""
        states = {name: self.inspect(name)["State"].get("Health", {}) for name in self.compose("ps", "--quiet").split()}
        ill = {name: state["Log"] for name, state in states.items() if state.get("Status") == "unhealthy"}
        return json.dumps(ill, indent=1)

    def host(self, network: str) -> str:
        """Return the address by which containers of a network reach this machine."""
        return str(self.inspect(f"{self.name}_{network}")["IPAM"]["Config"][0]["Gateway"])

    @contextmanager
    def configured(self, *settings: str) -> Iterator[None]:
        """Have an ``.env`` of settings; what is started meanwhile keeps them."""
        file = self.folder / ".env"
        file.write_text("\n".join(settings))
        try:
            yield
        finally:
            file.unlink()

    def address(self, service: str, port: int) -> str:
        """Return where a port of a service is published."""
        return self.compose("port", service, str(port))

    def make_key(self) -> str:
        """Show a key by the command that the documents tell."""
        return self.execute("api", "tocsin", "keys", "create", "tests").split()[0]

    def remove(self) -> None:
        """Leave nothing of the project."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1")

    @contextmanager
    def running(self, image: str, *options: str, command: Sequence[str] = ()) -> Iterator[None]:
        """Run one more container, which may do nothing and write nowhere."""
        name = f"{self.name}-{secrets.token_hex(3)}"
        self.docker("run", "--detach", "--read-only", "--cap-drop=ALL", "--name", name, *options, image, *command)
        try:
            yield
        finally:
            self.docker("rm", "--force", name)

    @contextmanager
    def paused(self, service: str) -> Iterator[None]:
        self.compose("pause", service)
        try:
            yield
        finally:
            self.compose("unpause", service)

    @contextmanager
    def disconnected(self, service: str) -> Iterator[None]:
        """Take a service off the network, as a pulled cable would."""
        network, container = f"{self.name}_back", self.id(service)
        self.docker("network", "disconnect", network, container)
        try:
            yield
        finally:
            self.docker("network", "connect", "--alias", service, network, container)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
