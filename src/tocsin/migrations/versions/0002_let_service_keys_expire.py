"""Let service keys expire, and have their secrets replaced.

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "api_key_former_hashes",
        sa.Column("hash", postgresql.BYTEA(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_keys.id"], name=op.f("fk_api_key_former_hashes_api_key_id_api_keys")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_api_key_former_hashes")),
    )


def downgrade() -> None:
    op.drop_table("api_key_former_hashes")
    op.drop_column("api_keys", "expires_at")
