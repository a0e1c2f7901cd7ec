"""Parts of the product started one by one, for tests that must know who is there and whom they hit."""

from pathlib import Path

import httpx2

from tests.e2e.mock_ai import MockAi
from tests.e2e.programs import HASTE, Program
from tests.waiting import until


class Crew:
    """Starts API servers, workers and stand-ins for the AI in one environment."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = HASTE | environment
        self.programs: list[Program] = []

    def start(self, *arguments: str, **environment: str) -> Program:
        """Start a command of ``tocsin``; ``environment`` is without the prefix."""
        name = f"{arguments[0]}-{len(self.programs) + 1}"
        own = {f"TOCSIN_{key}": value for key, value in environment.items()}
        program = Program(name, arguments, self._environment | own, self._folder / f"{name}.log")
        self.programs.append(program)
        return program

    async def api(self, **environment: str) -> tuple[Program, str]:
        """Start an API server; return it with its URL. Until it is ready it lets callers wait."""
        server = self.start("serve", "--port", "0", **environment)
        (event, *_) = await server.says("api_listening")
        return server, f"http://127.0.0.1:{event['port']}"

    async def worker(self, ai: MockAi, **environment: str) -> Program:
        """Start a worker that asks ``ai``, and wait until it works."""
        worker = self.start("worker", AI__URL=f"{ai.url}/analyze", **environment)
        await worker.says("worker_started")
        return worker

    async def mock_ai(self, http: httpx2.AsyncClient, *, delay: float = 0.05, port: int = 0) -> tuple[Program, MockAi]:
        """Start a stand-in for the AI; return it with what turns its knobs."""
        program = self.start("mock-ai", "--port", str(port), "--delay", str(delay), str(delay))
        before = "The mock AI listens on "
        await until(lambda: before in program.output, 60)
        return program, MockAi(http, program.output.split(before)[1].split()[0])

    def close(self) -> None:
        """End all at once: how they end in order has tests of its own."""
        for program in self.programs:
            program.kill()
