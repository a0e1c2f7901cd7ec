"""Make notifications searchable.

The words are found by code of the product, and the release before goes on writing notifications without them. So the
workers of this release write the words of what is there, from the newest on; see `tocsin.services.search_upkeep`.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification_search",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("document", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_search_notification_id_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_notification_search")),
    )
    op.create_index(
        "ix_notification_search_document",
        "notification_search",
        ["document"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 16384},
    )
    op.create_table(
        "search_backfill",
        sa.Column("id", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("before", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_search_backfill_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_backfill")),
    )
    op.execute(
        "INSERT INTO search_backfill (before) SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff'"
        " WHERE EXISTS (SELECT FROM notifications)"
    )


def downgrade() -> None:
    op.drop_table("search_backfill")
    op.drop_table("notification_search")
