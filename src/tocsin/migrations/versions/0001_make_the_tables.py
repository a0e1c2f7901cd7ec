"""Make the tables.

Revision: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_table(
        "epoch",
        sa.Column("id", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("value", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epoch")),
    )
    op.create_table(
        "inboxes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("floor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unread_info", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unread_warning", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unread_critical", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unread_unjudged", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "unread_info >= 0 AND unread_warning >= 0 AND unread_critical >= 0 AND unread_unjudged >= 0",
            name=op.f("ck_inboxes_unread_not_negative"),
        ),
        sa.CheckConstraint("version >= 0 AND floor >= 0 AND floor <= version", name=op.f("ck_inboxes_clock")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_inboxes")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("link", sa.String(length=2000), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "category",
            sa.Enum(
                "info", "warning", "critical", name="category", native_enum=False, create_constraint=True, length=16
            ),
            nullable=True,
        ),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=True),
        sa.Column("keywords", postgresql.ARRAY(sa.String(length=100)), nullable=True),
        sa.Column("analyzer", sa.String(length=200), nullable=True),
        sa.Column("analyzed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "processing_status",
            sa.Enum(
                "pending",
                "processing",
                "completed",
                "failed",
                name="processing_status",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint("deleted_at IS NOT NULL OR text <> ''", name=op.f("ck_notifications_text_not_empty")),
        sa.CheckConstraint("deleted_at IS NOT NULL OR title <> ''", name=op.f("ck_notifications_title_not_empty")),
        sa.CheckConstraint("json_typeof(data) = 'object'", name=op.f("ck_notifications_data_object")),
        sa.CheckConstraint("link ~* '^https?://'", name=op.f("ck_notifications_link_scheme")),
        sa.CheckConstraint(
            "processing_status <> 'completed' OR category IS NOT NULL",
            name=op.f("ck_notifications_completed_has_verdict"),
        ),
        sa.CheckConstraint("(category IS NULL) = (analyzed_at IS NULL)", name=op.f("ck_notifications_verdict_whole")),
        sa.CheckConstraint("char_length(text) <= 10000", name=op.f("ck_notifications_text_length")),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name=op.f("ck_notifications_confidence_range")),
        sa.CheckConstraint(
            "severity = CASE category WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 WHEN 'info' THEN 0 ELSE 1 END",
            name=op.f("ck_notifications_severity_of_category"),
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_notifications_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_deleted_at",
        "notifications",
        ["deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_deleted_at_text",
        "notifications",
        ["deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL AND text <> ''"),
    )
    op.create_index(
        "ix_notifications_id_failed",
        "notifications",
        ["id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL AND processing_status = 'failed'"),
    )
    op.create_index(
        "ix_notifications_severity_id",
        "notifications",
        ["severity", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_user_id_id",
        "notifications",
        ["user_id", sa.literal_column("id DESC NULLS LAST")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_user_id_id_unread",
        "notifications",
        ["user_id", sa.literal_column("id DESC NULLS LAST")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL AND read_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_user_id_severity_id",
        "notifications",
        ["user_id", sa.literal_column("severity DESC NULLS LAST"), sa.literal_column("id DESC NULLS LAST")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "uq_notifications_api_key_id_idempotency_key",
        "notifications",
        ["api_key_id", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index("uq_notifications_user_id_version", "notifications", ["user_id", "version"], unique=True)
    op.create_table(
        "analysis_jobs",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column(
            "available_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "enqueued_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_analysis_jobs_notification_id_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_analysis_jobs")),
    )
    op.create_index("ix_analysis_jobs_available_at", "analysis_jobs", ["available_at"], unique=False)
    op.execute("INSERT INTO epoch (value) VALUES (gen_random_uuid())")


def downgrade() -> None:
    for table in ("analysis_jobs", "notifications", "inboxes", "epoch", "api_keys"):
        op.drop_table(table)
