"""The outside: AI clients, Redis, the Celery producer."""
