"""What ``tocsin send`` makes of its options, and how it sends one notification."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import typer
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tocsin.cli.calling import ExitCode, run
from tocsin.cli.connection import Connection
from tocsin.cli.looks import badge, clean, clean_json, headline, row
from tocsin.cli.screen import is_terminal, make_console, write
from tocsin.client import TocsinClient
from tocsin.client.models import Created, Notification, ProcessingStatus
from tocsin.client.retries import RetryPolicy
from tocsin.errors import ConfigurationError

_TITLE_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Template:
    """What options give to every notification that does not have its own."""

    user_id: UUID
    title: str | None = None
    source: str | None = None
    link: str | None = None
    data: dict[str, Any] | None = None


def parse_data(text: str | None) -> dict[str, Any] | None:
    """Return the object that ``text`` is.

    Raises:
        ConfigurationError: it is none.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError("--data must be a JSON object, such as '{\"order\": 4711}'")
    return value


def make_title(text: str) -> str:
    """Return how ``text`` begins: its first line, at most 80 columns wide."""
    (line, *_) = text.strip().splitlines() or [""]
    line = clean(line)
    return line if cell_len(line) <= _TITLE_WIDTH else set_cell_size(line, _TITLE_WIDTH - 1).rstrip() + "…"


def send_one(
    connection: Connection,
    template: Template,
    text: str,
    idempotency_key: str | None,
    timeout: float | None,
    *,
    as_json: bool,
) -> None:
    """Send a notification, wait for its verdict for ``timeout`` seconds unless that is None, and show it.

    Raises:
        typer.Exit: its analysis failed, or what `run` raises.
    """

    async def use(client: TocsinClient) -> Notification:
        created = await client.create(
            template.user_id,
            template.title if template.title is not None else make_title(text),
            text,
            source=template.source,
            link=template.link,
            data=template.data,
            idempotency_key=idempotency_key,
        )
        if timeout is None:
            _show(created, None, as_json=as_json)
            return created
        if is_terminal() and not as_json:
            # Whoever stops waiting should know what to ask for later.
            _announce(created)
        judged = await client.wait(created.id, timeout)
        _show(created, judged, as_json=as_json)
        return judged

    judged = run(connection, RetryPolicy(deadline=30), use)
    if timeout is not None and judged.processing_status is ProcessingStatus.FAILED:
        raise typer.Exit(ExitCode.NOT_ALL)


def _show(created: Created, judged: Notification | None, *, as_json: bool) -> None:
    if as_json:
        write(clean_json((judged or created).model_dump_json()))
    elif not is_terminal():
        write(str(created.id) if judged is None else row(judged))
    elif judged is None:
        _announce(created)
    else:
        line = Text("  ").join([badge(judged), headline(judged)])
        make_console().print(line, no_wrap=True, overflow="ellipsis")


def _announce(created: Created) -> None:
    what = "Was sent before" if created.replayed else "Sent"
    make_console().print(Text(f"{what}: {created.id}"))
