"""How ``tocsin demo`` lets its day happen."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress

from tocsin.cli.screen import make_console, write
from tocsin.client import TocsinClient
from tocsin.client.models import Category, Created, Draft

# The end of the day comes while somebody looks.
_LIVE: Final = 7
_LIVE_OVER: Final = 20.0
# Whoever reads is not up to date, overlooks some, and leaves what is alarming for later.
_BEHIND: Final = 15
_OVERLOOKED: Final = 4
_PATIENCE: Final = 30


async def play(client: TocsinClient, day: Sequence[Draft], over: float | None) -> None:
    """Create ``day``, within ``over`` seconds, or nearly at once if that is None, and mark some of it read."""
    # Nothing is announced with a key that may not do it.
    await client.inbox(day[0].user_id)
    write(_announcement(len(day), over))
    made: list[Created] = []
    is_judged = True
    with _progress(len(day)) as advance:
        async for created in client.create_many(_happen(day, over)):
            made.append(created)
            advance()
            number = len(made) - _BEHIND
            if is_judged and number >= 0 and number % _OVERLOOKED:
                is_judged = await _read(client, made[number])


def _announcement(count: int, over: float | None) -> str:
    if over is None:
        return f"A day of {count} notifications: {count - _LIVE} at once, {_LIVE} more within {_LIVE_OVER:g} seconds."
    return f"A day of {count} notifications " + (f"within {over:g} seconds." if over else "at once.")


async def _happen(day: Sequence[Draft], over: float | None) -> AsyncIterator[Draft]:
    slow, seconds = (_LIVE, _LIVE_OVER) if over is None else (len(day), over)
    for number, draft in enumerate(day):
        if number >= len(day) - slow:
            await asyncio.sleep(seconds / slow)
        yield draft


async def _read(client: TocsinClient, created: Created) -> bool:
    """Mark it read if it is harmless; return whether it was judged at all."""
    try:
        judged = await client.wait(created.id, _PATIENCE)
    except TimeoutError:
        return False
    if judged.category is Category.INFO:
        await client.mark_read(created.id)
    return True


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    console = make_console(stderr=True)
    with Progress(BarColumn(), MofNCompleteColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
