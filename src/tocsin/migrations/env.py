"""Alembic's environment: runs migrations on the connection it is handed, or writes their SQL if it gets none."""

import structlog
from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection

from tocsin.models.analysis_job import AnalysisJob
from tocsin.models.api_key import ApiKey
from tocsin.models.epoch import Epoch
from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification
from tocsin.models.notification_search import NotificationSearch
from tocsin.models.search_backfill import SearchBackfill

_TABLES = (AnalysisJob, ApiKey, Epoch, Inbox, Notification, NotificationSearch, SearchBackfill)
_log = structlog.get_logger(__name__)


def _tell(ctx: object, step: MigrationInfo, heads: object, run_args: object) -> None:  # noqa: ARG001 - as it is called
    what = getattr(step.up_revision, "doc", None)
    _log.info("migration_applied" if step.is_upgrade else "migration_undone", revision=step.up_revision_id, what=what)


def _run(connection: Connection | None) -> None:
    context.configure(
        connection=connection,
        dialect_name="postgresql",
        target_metadata=_TABLES[0].metadata,
        compare_server_default=True,
        # What was reached stays, and no lock is held longer than its own revision takes.
        transaction_per_migration=True,
        on_version_apply=_tell,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes.get("connection"))
