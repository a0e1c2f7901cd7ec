"""The servers of a run: PostgreSQL and Valkey as `tocsin up` has them, and the product's own processes on them."""

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.load import HOST, WrongAnswer, ask, build_request
from bench.processes import Program, memory_bytes, run
from tocsin.embedded.ports import find_free_port
from tocsin.embedded.postgres import EmbeddedPostgres
from tocsin.embedded.valkey import EmbeddedValkey
from tocsin.settings import LimitSettings

NO_LIMITS: Final = dict.fromkeys((f"LIMITS__{name.upper()}" for name in LimitSettings.model_fields), "0")
"""Settings of a site without rate limits; others have limits, which nobody meets."""
_HIGH_LIMITS: Final = {f"TOCSIN_{name}": "10000000" for name in NO_LIMITS} | {"TOCSIN_STREAM__MAX_PER_INBOX": "10000"}
_READY_WITHIN = 30.0
_TOCSIN = ("tocsin",)


@dataclass(frozen=True, slots=True)
class Service:
    """A process that answers on a port."""

    program: Program
    port: int


@dataclass(frozen=True, slots=True)
class Site:
    """A database and a Redis of one measurement, and the environment of the processes on them."""

    database_url: str
    environment: dict[str, str]


class Lab:
    """Everything that runs; what is opened from it ends with the context it was opened in."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
        self.folder = folder
        self.postgres = postgres
        self.valkey = valkey
        self.memory: dict[str, int] = {}
        self._secret = secrets.token_hex(32)
        self._sites = itertools.count(1)
        self._programs = itertools.count(1)

    @cached_property
    def key(self) -> str:
        """A service key that every site knows."""
        environment = self._environment(self.postgres.url)
        run(*_TOCSIN, "migrate", environment=environment)
        return str(json.loads(run(*_TOCSIN, "keys", "create", "bench", "--json", environment=environment))["key"])

    async def make_site(self, **settings: str) -> Site:
        """Make a database with the schema, the key and nothing else; ``settings`` are variables without prefix.

        Its Redis is its own as well: sites are copies of each other, and so would be the keys of cached pages.
        """
        assert self.key
        number = next(self._sites)
        name = f"site_{number}"
        await execute(self.postgres.url, f"CREATE DATABASE {name} TEMPLATE {urlsplit(self.postgres.url).path[1:]}")
        url = urlunsplit(urlsplit(self.postgres.url)._replace(path=f"/{name}"))
        environment = self._environment(url, number)
        return Site(url, environment | {f"TOCSIN_{name}": value for name, value in settings.items()})

    async def settle(self, site: Site) -> None:
        """Have PostgreSQL do now what it would do about a filled table during the measurement."""
        await execute(site.database_url, "VACUUM ANALYZE")
        await execute(self.postgres.admin_url, "CHECKPOINT")

    @contextmanager
    def api(self, site: Site) -> Iterator[Service]:
        """Run ``tocsin serve``."""
        port = find_free_port(HOST)
        with self._program("api", *_TOCSIN, "serve", "--port", str(port), environment=site.environment) as program:
            yield Service(program, port)

    @contextmanager
    def worker(self, site: Site) -> Iterator[Program]:
        """Run ``tocsin worker``."""
        with self._program("worker", *_TOCSIN, "worker", environment=site.environment) as program:
            yield program

    @contextmanager
    def mock_ai(self, port: int, shortest: float, longest: float) -> Iterator[Service]:
        """Run ``tocsin mock-ai``."""
        options = ("--port", str(port), "--delay", str(shortest), str(longest))
        with self._program("mock-ai", *_TOCSIN, "mock-ai", *options, environment={}) as program:
            yield Service(program, port)

    @contextmanager
    def floors(self, site: Site) -> Iterator[Service]:
        """Run the floors; their rows go to a site that the product does not use."""
        port = find_free_port(HOST)
        with self._program("floors", "bench.floors", str(port), site.database_url, environment={}) as program:
            yield Service(program, port)

    def note_memory(self, program: Program) -> None:
        """Remember what the process takes now, or took at its largest."""
        self.memory[program.name] = max(memory_bytes(program.pid), self.memory.get(program.name, 0))

    def note_servers(self) -> None:
        """Remember what the servers take now."""
        self.memory |= {server.name: memory_bytes(server.pid) for server in (self.postgres, self.valkey)}

    @contextmanager
    def _program(self, name: str, *arguments: str, environment: dict[str, str]) -> Iterator[Program]:
        log = self.folder / f"{name}-{next(self._programs)}.log"
        with Program(name, *arguments, environment=environment, log=log) as program:
            yield program

    def _environment(self, database_url: str, redis_number: int = 0) -> dict[str, str]:
        return {
            "TOCSIN_SECRET": self._secret,
            "TOCSIN_DATABASE__URL": database_url,
            "TOCSIN_REDIS__BROKER_URL": urlunsplit(urlsplit(self.valkey.url)._replace(path=f"/{redis_number}")),
            **_HIGH_LIMITS,
        }


@contextmanager
def open_lab(folder: Path) -> Iterator[Lab]:
    """Start the servers; they keep their data in ``folder`` and end with the context."""
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(folder))
        valkey = stack.enter_context(EmbeddedValkey(folder))
        yield Lab(folder, postgres, valkey)


async def execute(url: str, *statements: str) -> None:
    """Run SQL statements, each in a transaction of its own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch_number(url: str, query: str) -> int:
    """Return the one number that ``query`` finds."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


async def until_ready(service: Service, path: str = "/readyz") -> None:
    """Wait until the process answers."""
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        service.program.check_alive()
        try:
            await ask(service.port, build_request("GET", path))
            return
        except (OSError, WrongAnswer):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)
