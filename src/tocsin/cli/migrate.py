"""``tocsin migrate``: bring the database schema up to date."""

import asyncio


def migrate() -> None:
    """Bring the database schema up to date; safe to run again, and from several places at once."""
    # SQLAlchemy and Alembic take a while to import; other commands need not wait for them.
    from tocsin.bootstrap import migrate_database
    from tocsin.settings import Settings, load_settings
    from tocsin.telemetry import configure_logging

    settings = load_settings(Settings)
    configure_logging(settings.log.format, settings.log.level)
    asyncio.run(migrate_database(settings))
