"""Kombu's Redis transport, which goes on when it meets what is no message."""

from queue import Empty
from typing import Any

import structlog
from kombu.transport import redis

from tocsin.telemetry import MESSAGES_DROPPED

_log = structlog.get_logger(__name__)


class TolerantChannel(redis.Channel):
    """Drops what it cannot read.

    Whatever is in the list is taken from it before it is read, and an error in that ends Celery's consumer, and with
    it the worker. Nothing is lost with a message: maintenance finds the jobs that nobody was told of.
    """

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401 - kombu's own matter
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu has no types
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            MESSAGES_DROPPED.inc()
            _log.warning("message_dropped", error=type(error).__name__)
            # As if there had been none.
            raise Empty from None


class TolerantTransport(redis.Transport):
    """Redis, by tolerant channels."""

    Channel = TolerantChannel


TRANSPORT = f"{__name__}:{TolerantTransport.__name__}"
"""How Celery is told of it."""
