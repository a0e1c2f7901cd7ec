"""``python -m tocsin`` is ``tocsin``."""

from tocsin.cli import app

app()
