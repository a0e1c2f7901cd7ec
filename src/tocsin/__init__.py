"""Tocsin: a notification service that reads every notification with an AI before a person has to."""

from importlib.metadata import version

__version__ = version("tocsin")
