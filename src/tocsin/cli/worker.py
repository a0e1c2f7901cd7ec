"""``tocsin worker``: analyse notifications."""

import asyncio
import contextlib
import gc
import sys

from tocsin.errors import DatabaseUnavailable


def worker() -> None:
    """Analyse notifications until stopped; run as many as you like."""
    gc.disable()  # it would look at what is imported again and again; `settle_memory` ends that
    # Celery and the AI clients take a while to import; other commands need not wait for them.
    from tocsin.bootstrap import require_schema
    from tocsin.settings import Settings, load_settings
    from tocsin.telemetry import configure_logging
    from tocsin.worker.run import run_worker

    settings = load_settings(Settings)
    configure_logging(settings.log.format, settings.log.level)
    with contextlib.suppress(DatabaseUnavailable):  # that may come later
        asyncio.run(require_schema(settings))
    sys.exit(run_worker(settings))
