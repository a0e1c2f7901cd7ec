"""`tocsin up`, as a user starts it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.api import Api
from tests.e2e.mock_ai import MockAi
from tests.e2e.programs import WITHIN, Program
from tests.waiting import eventually, until
from tocsin.embedded.ports import find_free_port

PARTS = {"api", "worker", "mock-ai", "postgres", "valkey"}


class Up(Program):
    """One run of it on a data folder."""

    def __init__(self, data_dir: Path, log: Path, environment: dict[str, str]) -> None:
        self.data_dir = data_dir
        self._status = data_dir / "up.json"
        self._ai_port = find_free_port("127.0.0.1")
        arguments = ("up", "--port", "0", "--data-dir", str(data_dir), "--ai-delay", "0.05", "0.1")
        super().__init__("up", arguments, environment | {"TOCSIN_MOCK_AI__PORT": str(self._ai_port)}, log)

    @property
    def status(self) -> dict[str, Any]:
        return dict(json.loads(self._status.read_text()))

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.status["pids"])

    @property
    def is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"tocsin up ended:\n{self.output}")
        return self._status.exists()

    def api(self, http: httpx2.AsyncClient) -> Api:
        return Api(http, self.status["url"], self.status["service_key"])

    def ai(self, http: httpx2.AsyncClient) -> MockAi:
        return MockAi(http, f"http://127.0.0.1:{self._ai_port}")

    async def is_well(self, http: httpx2.AsyncClient) -> None:
        """Wait until all parts are there and the API says that it can work."""

        async def probe() -> bool:
            assert set(self.pids) == PARTS
            try:
                answer = await http.get(f"{self.status['url']}/readyz")
            except httpx2.TransportError as error:
                raise AssertionError(str(error)) from error
            assert answer.json() == {"status": "ready", "database": "ok", "redis": "ok"}
            return True

        await eventually(probe, WITHIN)

    def kill_part(self, name: str) -> int:
        """End one of its parts as a crash would; return the process id that it had."""
        pid = self.pids[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def replaces(self, name: str, pid: int) -> None:
        """Wait until a part that had this process id runs again."""
        await until(lambda: self.pids.get(name, pid) != pid, WITHIN)
