"""The Celery task."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from celery import Celery

from tocsin.integrations.celery_app import ANALYSE_TASK
from tocsin.worker.runtime import WorkerRuntime

_log = structlog.get_logger(__name__)


def register(celery: Celery, runtime: WorkerRuntime) -> None:
    """Make ``celery`` answer the doorbell."""

    @celery.task(name=ANALYSE_TASK)  # type: ignore[untyped-decorator]  # Celery has no types
    def analyse(ids: Sequence[str]) -> None:
        runtime.analyse(_parse(ids))


def _parse(ids: object) -> list[UUID]:
    """Read what a message carries; what is no id of ours is dropped, since the maintenance loop rings again anyway."""
    try:
        return [UUID(item) for item in ids]  # type: ignore[attr-defined]  # whatever it is
    except (TypeError, ValueError, AttributeError):
        _log.warning("message_not_understood", kind=type(ids).__name__)
        return []
