"""How a notification looks on a terminal, and in a pipe."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from tocsin.client.models import Category, Notification, ProcessingStatus, Unread

_SPACE: Final = re.compile(r"\s+")
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSAFE: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Look:
    """A shape and a word beside the colour, since not everybody sees colours."""

    mark: str
    word: str
    style: str


_BY_CATEGORY: Final = {
    Category.CRITICAL: Look("▲", "critical", "bold red"),
    Category.WARNING: Look("◆", "warning", "yellow"),
    Category.INFO: Look("●", "info", "cyan"),
}
_FAILED: Final = Look("✕", "failed", "magenta")
_JUDGED_SOON: Final = Look("○", "pending", "dim")
_WIDEST: Final = max(len(look.word) for look in (*_BY_CATEGORY.values(), _FAILED, _JUDGED_SOON))


def look(notification: Notification) -> Look:
    """Return how ``notification`` looks; a verdict that it has counts while a new one is awaited."""
    if notification.category is not None:
        return _BY_CATEGORY[notification.category]
    return _FAILED if notification.processing_status is ProcessingStatus.FAILED else _JUDGED_SOON


def badge(notification: Notification) -> Text:
    """Return shape, word and confidence, always of the same width."""
    its = look(notification)
    sure = f"{notification.confidence:4.0%}" if notification.confidence is not None else " " * 4
    return Text(f"{its.mark} {its.word:<{_WIDEST}} {sure}", its.style)


def clean(text: str) -> str:
    """Return ``text`` in one line, without what would move the cursor or turn the writing around.

    Anybody may have written it; a terminal obeys control characters (ESC above all), and so do bidirectional ones.
    """
    line = _SPACE.sub(" ", text).strip()
    return "".join("\ufffd" if unicodedata.category(char) == "Cc" or char in _BIDI else char for char in line)


def clean_json(line: str) -> str:
    """Return the same JSON, without characters that a terminal might obey; those below space are escaped already."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def when(moment: datetime, now: datetime) -> str:
    """Return a time in the time zone of this machine: the time of the day, or of another day the date as well."""
    there, here = moment.astimezone(), now.astimezone()
    return f"{there:%H:%M:%S}" if there.date() == here.date() else f"{there:%Y-%m-%d %H:%M}"


def headline(notification: Notification) -> Text:
    """Return the title, bold while unread, and as much of the text as there is room for."""
    title, text = clean(notification.title), clean(notification.text)
    line = Text(title, "bold" if notification.read_at is None else "")
    told = clean(notification.error or "") if notification.processing_status is ProcessingStatus.FAILED else ""
    if told:
        line.append(f"  {told}", "magenta")
    elif text != title:
        line.append(f"  {text.removeprefix(title).lstrip(' .:')}", "dim not bold")
    return line


def row(notification: Notification) -> str:
    """Return everything in one line, for other programs: columns with a tab between them, nothing shortened."""
    its = notification
    columns = (
        str(its.id),
        its.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        look(its).word,
        "" if its.confidence is None else f"{its.confidence:.2f}",
        "read" if its.read_at else "unread",
        clean(its.source or ""),
        clean(its.title),
        clean(its.text),
    )
    return "\t".join(columns)


def counts(unread: Unread) -> Text:
    """Return the numbers of unread notifications, in words."""
    line = Text(f"{unread.total} unread")
    parts = [
        (unread.critical, "critical", _BY_CATEGORY[Category.CRITICAL].style),
        (unread.warning, "warning", _BY_CATEGORY[Category.WARNING].style),
        (unread.info, "info", _BY_CATEGORY[Category.INFO].style),
        (unread.unjudged, "not judged", ""),
    ]
    for number, (count, word, style) in enumerate(part for part in parts if part[0]):
        line.append(", " if number else ": ").append(f"{count} {word}", style)
    return line
