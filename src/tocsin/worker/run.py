"""Running a Celery worker in this process."""

import structlog
from celery import signals

from tocsin.integrations.celery_app import make_celery
from tocsin.settings import Settings
from tocsin.worker.runtime import WorkerRuntime
from tocsin.worker.tasks import register

_log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT and return the exit code.

    On the signal no more is consumed; running analyses get `WorkerSettings.drain` seconds, what is left is put back.
    """
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

    signals.setup_logging.connect(leave_logging_alone, weak=False)
    signals.worker_shutting_down.connect(begin_stop, weak=False)
    runtime.start()
    try:
        worker = celery.Worker(
            pool="threads",
            # A message may carry a single id, so as many as there are slots must be able to run.
            concurrency=settings.ai.concurrency,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            task_events=False,
            quiet=True,
        )
        _log.info("worker_started", concurrency=settings.ai.concurrency, analyzer=settings.ai.provider)
        worker.start()
        return int(worker.exitcode or 0)
    finally:
        runtime.close()
        _log.info("worker_stopped")
