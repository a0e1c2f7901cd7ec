"""The SQL of each migration, as a linter reads it."""

import io

from alembic import command
from alembic.script import ScriptDirectory

from tocsin.repositories import schema


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    scripts = ScriptDirectory.from_config(schema.config()).walk_revisions()
    return [script.revision for script in scripts][::-1]


def sql_of(revision: str) -> str:
    """Return what upgrading to ``revision`` from the one before runs."""
    script = ScriptDirectory.from_config(schema.config()).get_revision(revision)
    config = schema.config()
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{script.down_revision or 'base'}:{revision}", sql=True)
    return config.output_buffer.getvalue()
