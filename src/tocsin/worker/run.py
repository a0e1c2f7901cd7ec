"""Running a Celery worker in this process."""

import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.apps.worker import install_worker_term_handler
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from prometheus_client import start_http_server

from tocsin import tracing
from tocsin.bootstrap import settle_memory
from tocsin.errors import ConfigurationError
from tocsin.integrations.celery_app import make_celery
from tocsin.settings import Settings, WorkerSettings
from tocsin.telemetry import WORKER, introduce
from tocsin.worker.runtime import WorkerRuntime
from tocsin.worker.tasks import register

_LEAVING_SECONDS: Final = 1.5
"""How long after the drain everything may take to close."""
_log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT and return the exit code.

    On the signal no more is consumed; running analyses get `WorkerSettings.drain` seconds, what is left is put back.
    """
    introduce("worker")
    if settings.tracing.enabled:
        tracing.switch_on("worker")
    runtime = WorkerRuntime(settings)
    celery = make_celery(
        settings.redis.broker_url.get_secret_value(),
        connect_timeout=settings.redis.worker_connect_timeout,
        read_timeout=None,
    )
    register(celery, runtime)

    def leave_logging_alone(**_: object) -> None:
        """Take the place of Celery's own set-up of logging."""

    def begin_stop(**_: object) -> None:
        _log.info("worker_stopping")
        runtime.begin_stop()
        deadline = time.monotonic() + settings.worker.drain + _LEAVING_SECONDS
        threading.Thread(target=_leave, args=(runtime, deadline), name="leave", daemon=True).start()

    # It warns root of pickle; what comes in here is JSON, and containers are what they are.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    signals.setup_logging.connect(leave_logging_alone, weak=False)
    signals.worker_shutting_down.connect(begin_stop, weak=False)
    with _telling_metrics(settings.worker):
        runtime.start()
        return _work(celery, settings, runtime)


def _work(celery: Celery, settings: Settings, runtime: WorkerRuntime) -> int:
    try:
        worker = _silent(celery.Worker)(
            pool="threads",
            # A message may carry a single id, so as many as there are slots must be able to run.
            concurrency=settings.ai.concurrency,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            task_events=False,
            quiet=True,
        )
        # It asked to see them. One comes whenever Redis is lost, of the default of an option that we have chosen.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        settle_memory()
        _log.info("worker_started", concurrency=settings.ai.concurrency, analyzer=settings.ai.provider)
        worker.start()
        return int(worker.exitcode or 0)
    finally:
        runtime.close()
        _log.info("worker_stopped")


def _silent(kind: Any) -> Any:  # noqa: ANN401 - Celery has no types
    """Return a worker that prints nothing at its end: what is said is in the log."""

    class SilentWorker(kind):  # type: ignore[misc]  # so it may be a class
        def install_platform_tweaks(self, worker: object) -> None:
            super().install_platform_tweaks(worker)
            for name in ("SIGTERM", "SIGINT"):
                install_worker_term_handler(worker, sig=name, verbose=False)

    return SilentWorker


@contextmanager
def _telling_metrics(settings: WorkerSettings) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, WORKER)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise ConfigurationError(f"Cannot tell metrics on {where}: {error.strerror}.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _leave(runtime: WorkerRuntime, deadline: float) -> None:
    """End the process if that has not happened by itself shortly after the runtime ended, at the deadline at last.

    Celery reads from Redis without a timeout, and a Redis that is frozen never answers. Nothing is lost by not
    waiting for it: messages are acknowledged when they are taken, and what was claimed is back in the database.
    """
    runtime.wait_for_end(max(0, deadline - time.monotonic()))
    time.sleep(min(_LEAVING_SECONDS, max(0, deadline - time.monotonic())))
    _log.warning("worker_left_celery_behind")
    os._exit(0)
