"""The worker's event loop: one for the whole process, in a thread of its own.

Celery runs its tasks in threads. What they do is asynchronous and shares one engine, one HTTP session, and one
loop, which lives from the start of the worker to its end. (A loop made for each task is how workers come to
succeed only at the first task of each process.)
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, wait
from uuid import UUID

import structlog
import uvloop

from tocsin.bootstrap import WorkerResources, open_worker_resources
from tocsin.settings import Settings

_log = structlog.get_logger(__name__)


class WorkerRuntime:
    """Runs the analysis service and the maintenance loop; called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tocsin-loop", daemon=True)
        self._resources: Future[WorkerResources] = Future()
        self._life: Future[None] | None = None
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Open everything and begin to maintain; raise what prevents it."""
        self._thread.start()
        self._life = asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        self._resources.result()

    def analyse(self, ids: Sequence[UUID]) -> None:
        """Judge what can be claimed of ``ids``; returns when that is done."""
        analysis = self._resources.result().analysis
        with contextlib.suppress(CancelledError):
            asyncio.run_coroutine_threadsafe(analysis.analyse(ids), self._loop).result()

    def begin_stop(self) -> None:
        """Let the analyses come to an end; does not wait for it."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until everything is closed, but not longer than ``seconds``."""
        if self._life is not None:
            wait([self._life], seconds)

    def close(self) -> None:
        """Stop, wait until everything is closed, and end the thread."""
        self.begin_stop()
        if self._life is not None:
            self._life.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _live(self) -> None:
        try:
            async with open_worker_resources(self._settings) as resources:
                self._resources.set_result(resources)
                async with asyncio.TaskGroup() as loops:
                    running = [
                        loops.create_task(resources.keeper.run(), name="keeper"),
                        loops.create_task(resources.maintenance.run(), name="maintenance"),
                    ]
                    await self._stop.wait()
                    running[1].cancel()
                    # Leases are renewed until the last result is in.
                    await resources.analysis.stop(self._settings.worker.drain)
                    running[0].cancel()
        except Exception as error:
            if self._resources.done():
                _log.exception("worker_loop_broke_off")
                raise
            self._resources.set_exception(error)
