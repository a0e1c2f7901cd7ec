"""``tocsin up``: all of Tocsin on this machine, with nothing to install and nothing to configure."""

import asyncio
import contextlib
import errno
import http.client
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli import stack
from tocsin.cli.console import Console
from tocsin.cli.demo_inbox import DEMO_USER_ID
from tocsin.cli.supervisor import ANNOUNCER, Part, Supervisor
from tocsin.embedded.files import Lock, keep, make_folder, write_private
from tocsin.embedded.ports import find_free_port, is_free, try_listen
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.errors import ConfigurationError, StartFailed

_KEYS = "keys"
_NAMES = (ANNOUNCER, stack.API, stack.WORKER, stack.MOCK_AI, stack.POSTGRES, stack.VALKEY, _KEYS)
_PORT_GRACE = 1.0
_LINK_TTL = 86_400
_MIGRATION_SECONDS = 3_600  # the API may have to migrate a large database before it listens

_READY = """
  Tocsin is up.

    API           {url}
    Docs          {url}/docs
    Service key   {key}
    Inbox         {inbox_url}
                  (this link opens one inbox, for a day; keep it to yourself)

  Try it, with the inbox open:

    curl -X POST {url}/api/v1/notifications \\
      -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
      -d '{{"user_id": "{user}", "title": "Backup", "text": "The backup failed: disk full"}}'

  Ctrl-C stops it; the data stays in {data_dir}

"""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What ``tocsin up`` was asked for. Delays are seconds, shortest and longest."""

    host: str
    port: int
    data_dir: Path
    ai_delay: tuple[float, float] | None = None


def up(
    port: Annotated[
        int, typer.Option(envvar="TOCSIN_API__PORT", min=0, max=65_535, help="Port of the API; 0 takes a free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(envvar="TOCSIN_API__HOST", help="Address the API listens on.")] = "127.0.0.1",
    data_dir: Annotated[Path, typer.Option(help="Folder for all data; made if missing.")] = Path(".data"),
    ai_delay: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="MIN MAX", help="Seconds the stand-in AI takes to answer.  [default: 1 3]"),
    ] = None,
) -> None:
    """Run all of Tocsin on this machine: database, queue, a stand-in for the AI, API and worker."""
    if ai_delay is not None and not 0 <= ai_delay[0] <= ai_delay[1]:
        raise ConfigurationError("--ai-delay needs the shorter delay first, and none below 0")
    run_up(UpOptions(host=host, port=port, data_dir=data_dir.absolute(), ai_delay=ai_delay), os.environ)


def run_up(options: UpOptions, environment: Mapping[str, str], program: tuple[str, ...] = stack.TOCSIN) -> None:
    """Run everything until SIGINT, SIGTERM or SIGHUP; ``program`` is what runs the commands of ``tocsin``.

    Raises:
        ConfigurationError: a port or the data folder cannot be had.
        StartFailed: a part did not start.
    """
    for name in _stop_signals():
        signal.signal(name, signal.default_int_handler)
    console = Console(sys.stdout, _NAMES, environment)
    # What is prepared blocks, and is left by KeyboardInterrupt; from then on the event loop has the signals.
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as cleanup:
        make_folder(options.data_dir)
        cleanup.callback(Lock(options.data_dir / "up.lock").release)
        postgres, valkey = EmbeddedPostgres(options.data_dir), EmbeddedValkey(options.data_dir)
        if postgres.is_new:
            console.say(ANNOUNCER, f"first start: making a database in {options.data_dir}")
            # It would be a key of a database that is gone.
            (options.data_dir / "service-key").unlink(missing_ok=True)
        for server in (postgres, valkey):
            cleanup.callback(server.close)
            server.prepare()
        for is_last in (False, False, True):
            up = _Up(options, environment, program, console, postgres, valkey)
            try:
                asyncio.run(up.run())
                break
            except StartFailed:
                if is_last or not up.evade():
                    raise
            console.say(ANNOUNCER, "somebody took a port that was free when it was chosen: starting anew, on others")


class _Up:
    """One run of everything, from start to stop."""

    def __init__(
        self,
        options: UpOptions,
        environment: Mapping[str, str],
        program: tuple[str, ...],
        console: Console,
        postgres: EmbeddedPostgres,
        valkey: EmbeddedValkey,
    ) -> None:
        self._data_dir = options.data_dir
        self._program = program
        self._console = console
        self._postgres = postgres
        self._valkey = valkey
        self._addresses = _choose_addresses(options, environment)
        self._environment = stack.build_environment(
            environment,
            addresses=self._addresses,
            secret=keep(options.data_dir / "secret", lambda: secrets.token_hex(32)),
            database_url=postgres.url,
            redis_url=valkey.url,
            ai_delay=options.ai_delay,
        )
        self._ignored = [name for name in stack.OWN_VARIABLES if name in stack.own_settings(environment)]
        self._supervisor = Supervisor(console, on_change=self._write_status)
        self._stop = asyncio.Event()
        self._status = options.data_dir / "up.json"
        self._service_key = ""
        self._inbox_url = ""
        self._is_ready = False

    async def run(self) -> None:
        for name in _stop_signals():
            asyncio.get_running_loop().add_signal_handler(name, self._on_signal)
        self._status.unlink(missing_ok=True)
        starting = asyncio.create_task(self._start())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await stopped
        finally:
            self._is_ready = False
            self._status.unlink(missing_ok=True)
            stopped.cancel()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._supervisor.stop(*stack.STOP_ORDER)

    def evade(self) -> bool:
        """Whether somebody else has one of the ports now; then whoever starts anew gets others."""
        moved = [server.evade() for server in (self._postgres, self._valkey)]
        return any(moved) or not all(is_free(host, port) for host, port in self._addresses.listening)

    async def _start(self) -> None:
        for name in self._ignored:
            self._console.say(ANNOUNCER, f"{name} is not used: what runs here has a database and a queue of its own")
        await self._supervisor.start(stack.server_part(self._postgres), stack.server_part(self._valkey))
        # Next what callers wait for. The worker comes after it, since it needs the tables that the API makes, and
        # the AI; it takes as long to start as the API, of which nobody should have to wait for that as well.
        await self._supervisor.start(self._api_part(), *self._mock_ai_parts())
        await self._supervisor.start(self._part(stack.WORKER, "worker"))
        self._service_key = await self._keep_service_key()
        self._inbox_url = await self._make_inbox_url()
        self._is_ready = True
        self._write_status()
        self._console.write(
            _READY.format(
                url=self._addresses.url,
                key=self._service_key,
                inbox_url=self._inbox_url,
                user=DEMO_USER_ID,
                data_dir=self._data_dir,
            )
        )

    async def _keep_service_key(self) -> str:
        path = self._data_dir / "service-key"
        if path.exists():
            return path.read_text(encoding="utf-8").strip()
        answer = await self._supervisor.run(self._part(_KEYS, "keys", "create", "up", "--json"), capture=True)
        try:
            key = str(json.loads(answer)["key"])
        except (ValueError, KeyError, TypeError):
            raise StartFailed("'tocsin keys create' did not answer with a key") from None
        write_private(path, f"{key}\n")
        return key

    async def _make_inbox_url(self) -> str:
        """Return a link that opens the demo inbox. Its token is in the fragment, which browsers send to nobody."""
        try:
            token = await asyncio.to_thread(
                stack.mint_inbox_token, self._addresses, self._service_key, DEMO_USER_ID, _LINK_TTL
            )
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise StartFailed(f"the API made no token for the demo inbox ({error!r})") from error
        return f"{self._addresses.url}/#token={token}"

    def _api_part(self) -> Part:
        ready = stack.answers(self._addresses.local_host, self._addresses.port, "/readyz")
        part = self._part(stack.API, "serve", "--migrate", ready=ready)
        return replace(part, ready_within=_MIGRATION_SECONDS)

    def _mock_ai_parts(self) -> list[Part]:
        if (port := self._addresses.mock_ai_port) is None:
            return []
        return [self._part(stack.MOCK_AI, "mock-ai", ready=stack.answers("127.0.0.1", port, "/healthz"))]

    def _part(self, name: str, *arguments: str, ready: Callable[[int], bool] | None = None) -> Part:
        return stack.program_part(name, *arguments, environment=self._environment, program=self._program, ready=ready)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._supervisor.hurry()
            return
        self._console.say(ANNOUNCER, "stopping; once more to hurry")
        self._stop.set()

    def _write_status(self) -> None:
        if not self._is_ready:
            return
        status = {
            "url": self._addresses.url,
            "service_key": self._service_key,
            "inbox_url": self._inbox_url,
            "pids": self._supervisor.pids,
            "database_url": self._postgres.url,
            "redis_url": self._valkey.url,
            "mock_ai_url": self._addresses.mock_ai_url,
        }
        try:
            write_private(self._status, json.dumps(status, indent=2) + "\n")
        except OSError as error:
            self._console.say(ANNOUNCER, f"cannot write {self._status}: {error.strerror}")


def _stop_signals() -> list[signal.Signals]:
    """Return the signals that stop us. SIGHUP is one unless nohup had it ignored."""
    hangup = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def _choose_addresses(options: UpOptions, environment: Mapping[str, str]) -> stack.Addresses:
    mock_ai_port = None
    if stack.wants_mock_ai(environment):
        wanted = stack.own_settings(environment).get("TOCSIN_MOCK_AI__PORT", "0")
        mock_ai_port = _claim_port("127.0.0.1", int(wanted) if wanted.isdigit() else 0, "TOCSIN_MOCK_AI__PORT")
    return stack.Addresses(options.host, _claim_port(options.host, options.port, "--port"), mock_ai_port)


def _claim_port(host: str, port: int, option: str) -> int:
    """Return the port, or a free one for 0; wait a moment for one that a killed predecessor is just leaving."""
    deadline = time.monotonic() + _PORT_GRACE
    while True:
        try:
            if port == 0:
                return find_free_port(host)
            try_listen(host, port)
            return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(f"cannot listen on {host} port {port}: {error.strerror}") from None
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"port {port} on {host} is taken: choose another with {option}, or 0 for any that is free"
            )
        time.sleep(0.05)
