"""The parts that make up a whole Tocsin on one machine, as data: what each runs, with which environment."""

import http.client
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tocsin.cli.supervisor import Part
from tocsin.embedded.process import Command
from tocsin.embedded.server import EmbeddedServer

# -P: whatever lies in the folder in which somebody typed `tocsin up` is none of our modules.
TOCSIN = (sys.executable, "-P", "-m", "tocsin")

API, WORKER, MOCK_AI, VALKEY, POSTGRES = "api", "worker", "mock-ai", "valkey", "postgres"
STOP_ORDER = ((API, WORKER), (MOCK_AI,), (VALKEY,), (POSTGRES,))

# What runs here is what these three must point to; everything else that the user has set is left as it is.
OWN_VARIABLES = ("TOCSIN_DATABASE__URL", "TOCSIN_REDIS__BROKER_URL", "TOCSIN_REDIS__CACHE_URL")

_ALARMS = {POSTGRES: ("WARNING:", "FATAL:", "PANIC:"), VALKEY: (" # ",)}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the programs listen. ``mock_ai_port`` is None where another AI was chosen."""

    host: str
    port: int
    mock_ai_port: int | None

    @property
    def local_host(self) -> str:
        """Where this machine reaches the API: listening on all addresses is not an address."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - it is translated, not listened on

    @property
    def url(self) -> str:
        """The URL of the API, without a slash at its end."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"http://{host}:{self.port}"

    @property
    def listening(self) -> list[tuple[str, int]]:
        """Where they listen, as hosts and ports."""
        return [(self.host, self.port), *([] if self.mock_ai_port is None else [("127.0.0.1", self.mock_ai_port)])]

    @property
    def mock_ai_url(self) -> str | None:
        """The URL of the stand-in for the AI, without a path; None where another AI was chosen."""
        return None if self.mock_ai_port is None else f"http://127.0.0.1:{self.mock_ai_port}"


def wants_mock_ai(environment: Mapping[str, str]) -> bool:
    """Tell whether the stand-in is what the service will ask: unless the user chose another AI, it is."""
    own = own_settings(environment)
    return own.get("TOCSIN_AI__PROVIDER", "http").lower() == "http" and "TOCSIN_AI__URL" not in own


def own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the user has set, under names in capitals: settings know no case."""
    return {name.upper(): value for name, value in environment.items() if name.upper().startswith("TOCSIN_")}


def build_environment(
    environment: Mapping[str, str],
    *,
    addresses: Addresses,
    secret: str,
    database_url: str,
    redis_url: str,
    ai_delay: tuple[float, float] | None,
) -> dict[str, str]:
    """Return the environment of all programs: defaults, then what the user has set, then what cannot be otherwise."""
    defaults = {
        "TOCSIN_SECRET": secret,
        # Theirs is not a terminal, though what they write ends on one.
        "TOCSIN_LOG__FORMAT": "console",
        "TOCSIN_MOCK_AI__DELAY_MIN": "1",
        "TOCSIN_MOCK_AI__DELAY_MAX": "3",
        "PYTHONUNBUFFERED": "1",
    }
    fixed = {
        "TOCSIN_DATABASE__URL": database_url,
        "TOCSIN_REDIS__BROKER_URL": redis_url,
        "TOCSIN_API__HOST": addresses.host,
        "TOCSIN_API__PORT": str(addresses.port),
    }
    if addresses.mock_ai_port is not None:
        fixed["TOCSIN_AI__URL"] = f"{addresses.mock_ai_url}/analyze"
        fixed["TOCSIN_MOCK_AI__HOST"] = "127.0.0.1"
        fixed["TOCSIN_MOCK_AI__PORT"] = str(addresses.mock_ai_port)
    if ai_delay is not None:
        low, high = ai_delay
        fixed |= {"TOCSIN_MOCK_AI__DELAY_MIN": f"{low:g}", "TOCSIN_MOCK_AI__DELAY_MAX": f"{high:g}"}
    theirs = {name: value for name, value in environment.items() if not name.upper().startswith("TOCSIN_")}
    own = {name: value for name, value in own_settings(environment).items() if name not in OWN_VARIABLES}
    return defaults | theirs | own | fixed


def server_part(server: EmbeddedServer) -> Part:
    """Return the part that runs an embedded server, which must be prepared."""
    return Part(
        name=server.name,
        command=server.command,
        environment=os.environ,
        ready=server.is_ready,
        ready_within=300,  # after a crash PostgreSQL repeats all that was written since its last checkpoint
        first_starts=3,  # children of a killed one need a moment to notice, and it waits for none of them
        log=server.log,
        alarms=_ALARMS[server.name],
    )


def program_part(
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    program: tuple[str, ...] = TOCSIN,
    ready: Callable[[int], bool] | None = None,
) -> Part:
    """Return the part that runs a command of ``tocsin``."""
    return Part(name=name, command=Command(argv=(*program, *arguments)), environment=environment, ready=ready)


def answers(host: str, port: int, path: str) -> Callable[[int], bool]:
    """Return a probe: whether a GET of ``path`` gets a 200 within a second."""

    def probe(_: int) -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def mint_inbox_token(addresses: Addresses, service_key: str, user_id: str, ttl: int) -> str:
    """Return a token for an inbox, good for ``ttl`` seconds. `TocsinClient` would take longer to import than to call.

    Raises:
        OSError, HTTPException, ValueError, KeyError: the API did not answer with one.
    """
    connection = http.client.HTTPConnection(addresses.local_host, addresses.port, timeout=10)
    headers = {"Authorization": f"Bearer {service_key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/api/v1/inboxes/{user_id}/tokens", json.dumps({"ttl": ttl}), headers)
        return str(json.load(connection.getresponse())["token"])
    finally:
        connection.close()
