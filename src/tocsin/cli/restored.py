"""``tocsin restored``: the last step of restoring a backup."""

import asyncio

import typer


def restored() -> None:
    """Tell everybody who saw what a restored backup lacks to load anew. Run it before the API starts."""
    # SQLAlchemy takes a while to import; other commands need not wait for it.
    from tocsin.bootstrap import begin_epoch
    from tocsin.settings import Settings, load_settings
    from tocsin.telemetry import configure_logging

    settings = load_settings(Settings)
    configure_logging(settings.log.format, settings.log.level)
    epoch = asyncio.run(begin_epoch(settings))
    typer.echo(f"A new epoch has begun ({epoch.hex}): whoever saw a later state is told to load anew.")
