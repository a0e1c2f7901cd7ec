"""Structured logs, request ids, and every metric in one table."""

import contextlib
import logging
import sys
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When each series began says nothing that its values do not.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library forgot this one

BATCH_ITEMS = Histogram(
    "tocsin_coalescer_batch_items",
    "Items written together.",
    ["coalescer"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
CREATED = Counter("tocsin_notifications_created", "Notifications accepted and stored.")
REPLAYED = Counter("tocsin_notifications_replayed", "Creates answered with an earlier twin.")
ANALYSES = Counter("tocsin_analyses", "Tries that ended.", ["outcome"])
AI_SECONDS = Histogram("tocsin_ai_seconds", "How long the AI took, quick repeats included.", ["outcome"])
CALLS_IN_THE_AIR = Gauge("tocsin_ai_calls_in_the_air", "Notifications that the AI is being asked about.")
BREAKER_STATE = Gauge("tocsin_breaker_state", "0 closed, 1 half-open, 2 open.")
RINGS_LOST = Counter("tocsin_rings_lost", "Ids that could not be rung for; the maintenance loop finds them.")
RUNG_AGAIN = Counter("tocsin_rung_again", "Overdue ids that were rung for.")
CACHE_READS = Counter("tocsin_cache_reads", "Reads of the page cache.", ["outcome"])
CACHE_FAILURES = Counter("tocsin_cache_failures", "Calls of the cache that failed or were not made after a failure.")
REQUESTS = Counter("tocsin_http_requests", "Requests by route template.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("tocsin_http_request_seconds", "Time to the whole response.", ["method", "route"])
EXPIRED = Counter("tocsin_notifications_expired", "Notifications deleted because they were too old.")
BACKLOG_JOBS = Gauge("tocsin_backlog_jobs", "Notifications that wait for their analysis.")
BACKLOG_AGE = Gauge("tocsin_backlog_age_seconds", "How long the oldest of them waits.")

LogFormat = Literal["auto", "json", "console"]


class _Lines:
    """Writes whole lines to standard error; on a full disk, or to nobody, what is said is lost and nobody fails."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Send all logs, those of libraries too, to standard error: JSON lines, or coloured text on a terminal.

    Ours do not pass through `logging`, which would take more time for the line of a request than all of its metrics.
    """
    as_text = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if as_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their own lines say nothing that ours do not; the errors of both stay.
    for noisy in ("uvicorn.access", "uvicorn.error", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def bind_request_id(request_id: str) -> None:
    """Put ``request_id`` on every log line of this request."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def current_request_id() -> str | None:
    """Return the id of the request that is being served."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None
