"""Structured logs, request ids, and every metric in one table."""

import contextlib
import logging
import platform
import sys
from typing import Final, Literal, TextIO

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from tocsin import __version__

# When each series began says nothing that its values do not.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library forgot this one

# A process tells what it does and no more: a worker's backlog of 0 from each API would be a lie. What both do is in
# the registry of the library, as is what it tells of the process itself.
API: Final = CollectorRegistry(support_collectors_without_names=True)
WORKER: Final = CollectorRegistry(support_collectors_without_names=True)
for _registry in (API, WORKER):
    _registry.register(REGISTRY)

BUILD = Gauge("tocsin_build_info", "Always 1.", ["component", "version", "python"])
LOG_LINES = Counter("tocsin_log_lines", "Lines logged, from warnings upwards.", ["level", "origin"])
_WARNINGS, _ERRORS = (LOG_LINES.labels(level, "tocsin") for level in ("warning", "error"))
_THEIR_WARNINGS, _THEIR_ERRORS = (LOG_LINES.labels(level, "library") for level in ("warning", "error"))
BATCH_ITEMS = Histogram(
    "tocsin_coalescer_batch_items",
    "Items written together.",
    ["coalescer"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
REDIS_FAILURES = Counter(
    "tocsin_redis_failures", "Calls of Redis that failed, or were not made shortly after a failure.", ["use"]
)
HINTS = Counter("tocsin_change_hints", "Hints of inboxes that changed.", ["outcome"])
RINGS_LOST = Counter("tocsin_rings_lost", "Ids that could not be rung for; the maintenance loop finds them.")
DATABASE_CONNECTIONS = Gauge("tocsin_database_connections", "Connections of the pool.", ["state"])
DATABASE_CONNECTIONS_MAX = Gauge("tocsin_database_connections_max", "How many connections the pool may have.")
DATABASE_WAITING = Gauge("tocsin_database_waiting", "Units of work that wait for a connection.")
DATABASE_FAILURES = Counter("tocsin_database_failures", "Units of work that could not be done.", ["code"])
TRANSACTIONS_REPEATED = Counter("tocsin_transactions_repeated", "Attempts of transactions made again.", ["cause"])

CONNECTIONS = Gauge("tocsin_http_connections", "Open connections, streams included.", registry=API)
CONNECTIONS_CUT = Counter(
    "tocsin_http_connections_cut",
    "Connections ended because a client was too slow, or because there were too many.",
    ["cause"],
    registry=API,
)
REQUESTS = Counter("tocsin_http_requests", "Requests by route template.", ["method", "route", "status"], registry=API)
REQUEST_SECONDS = Histogram(
    "tocsin_http_request_seconds",
    "Time to the whole response.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=API,
)
CREATED = Counter("tocsin_notifications_created", "Notifications accepted and stored.", registry=API)
REPLAYED = Counter("tocsin_notifications_replayed", "Creates answered with an earlier twin.", registry=API)
INTAKE_WAITING = Gauge("tocsin_intake_waiting", "Creates that wait to be written.", registry=API)
STREAMS = Gauge("tocsin_streams", "Streams that are open.", ["transport"], registry=API)
STREAMS_OPENED = Counter(
    "tocsin_streams_opened", "Streams that began, by what became of their position.", ["outcome"], registry=API
)
STREAMS_ENDED = Counter("tocsin_streams_ended", "Streams that ended, by reason.", ["transport", "reason"], registry=API)
STREAM_MESSAGES = Counter(
    "tocsin_stream_messages_rendered", "Messages made, each once for all who get it.", ["type"], registry=API
)
STREAM_LOOKS = Counter("tocsin_stream_looks", "Looks for changes that no hint had told of.", ["outcome"], registry=API)
CACHE_READS = Counter("tocsin_cache_reads", "Reads of the page cache.", ["outcome"], registry=API)
RATE_LIMIT_DECISIONS = Counter(
    "tocsin_rate_limit_decisions", "Quotas that calls were held to.", ["policy", "outcome"], registry=API
)

ANALYSES = Counter("tocsin_analyses", "Tries that ended.", ["analyzer", "outcome"], registry=WORKER)
JUDGED_SECONDS = Histogram(
    "tocsin_judged_seconds",
    "From the promise of an analysis to its verdict, all tries included.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 900, 3600, 21_600),
    registry=WORKER,
)
AI_SECONDS = Histogram(
    "tocsin_ai_seconds",
    "How long the AI took, quick repeats included.",
    ["analyzer", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120),
    registry=WORKER,
)
CALLS_IN_THE_AIR = Gauge(
    "tocsin_ai_calls_in_the_air", "Notifications that the AI is being asked about.", registry=WORKER
)
CALLS_MAX = Gauge("tocsin_ai_calls_max", "How many of them there may be at a time.", registry=WORKER)
BREAKER_STATE = Gauge("tocsin_breaker_state", "0 closed, 1 half-open, 2 open.", ["analyzer"], registry=WORKER)
RUNG_AGAIN = Counter("tocsin_rung_again", "Overdue ids that were rung for.", registry=WORKER)
MESSAGES_DROPPED = Counter("tocsin_messages_dropped", "What was in the queue and is no message.", registry=WORKER)
EXPIRED = Counter("tocsin_notifications_expired", "Notifications deleted because they were too old.", registry=WORKER)
BACKLOG_JOBS = Gauge("tocsin_backlog_jobs", "Notifications that wait for their analysis.", registry=WORKER)
BACKLOG_AGE = Gauge("tocsin_backlog_age_seconds", "How long the oldest of them waits.", registry=WORKER)
BACKLOG_OVERDUE = Gauge(
    "tocsin_backlog_overdue_seconds",
    "For how long one of them could have been claimed and was not.",
    registry=WORKER,
)

LogFormat = Literal["auto", "json", "console"]


class _Lines:
    """Writes whole lines to standard error; on a full disk, or to nobody, what is said is lost and nobody fails."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")

    debug = info = msg

    def warning(self, line: str) -> None:
        _WARNINGS.inc()
        self.msg(line)

    def error(self, line: str) -> None:
        _ERRORS.inc()
        self.msg(line)

    critical = error


class _Theirs(logging.StreamHandler[TextIO]):
    """Writes the lines of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            (_THEIR_ERRORS if record.levelno >= logging.ERROR else _THEIR_WARNINGS).inc()
        super().emit(record)


_NOISY: Final = (
    "uvicorn.access",
    "uvicorn.error",
    "celery.worker.strategy",
    "celery.app.trace",
    "alembic",
)


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
    handler = _Theirs(sys.stderr)
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
    ours = "tocsin.repositories.engine"  # through which SQLAlchemy tells of a pool that is a class of ours
    for noisy in (*_NOISY, ours):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def introduce(component: Literal["api", "worker"]) -> None:
    """Tell in the metrics what this process is."""
    BUILD.labels(component, __version__, platform.python_version()).set(1)


def bind_request_id(request_id: str) -> None:
    """Put ``request_id`` on every log line of this request."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def current_request_id() -> str | None:
    """Return the id of the request that is being served."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None
