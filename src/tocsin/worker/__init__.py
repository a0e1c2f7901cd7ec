"""The Celery worker and its maintenance loop."""
