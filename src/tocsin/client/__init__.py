"""A client of the service's API, for programs in Python. It knows nothing of the service's own modules.

    async with TocsinClient("https://tocsin.example.com", key) as client:
        created = await client.create(user_id, "Backup", "The backup failed: disk full")
        judged = await client.wait(created.id)

docs/client.md tells more. What calls answer is in `tocsin.client.models`, what they raise in `tocsin.client.errors`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, Unpack
from uuid import UUID

from tocsin.client import batches, stream
from tocsin.client.filters import Filters, Selection
from tocsin.client.models import (
    Changes,
    Created,
    Draft,
    Inbox,
    InboxToken,
    MarkedRead,
    Message,
    Notification,
    Page,
    Status,
)
from tocsin.client.retries import RetryPolicy
from tocsin.client.transport import OnRetry, Transport

_LONGEST_WAIT: Final = 30.0
_PAGE: Final = 100
_TOO_SOON: Final = 0.25
_STALE_AFTER: Final = 60.0
_PARAMETERS: Final = {"search": "q"}


class TocsinClient:
    """Calls one service with one key, on one event loop.

    Every call is repeated as `RetryPolicy` says while the service cannot be reached or is not well (429, 5xx), which
    does no harm: what is created carries an idempotency key, and everything else is idempotent by itself. A call
    raises `Problem` if the service refuses or keeps failing, `Unreachable` if no answer came.

    Args:
        url: of the service, such as ``https://tocsin.example.com`` or ``https://example.com/tocsin``.
        key: a service key or an inbox token; docs/api.md says which may do what.
        policy: how long a call is tried.
        on_retry: is told of each failure that is met with another try, and of the seconds until then.

    Raises:
        ValueError: the URL or the key cannot be used.
    """

    def __init__(
        self, url: str, key: str, *, policy: RetryPolicy | None = None, on_retry: OnRetry | None = None
    ) -> None:
        self._transport = Transport(url, key, policy or RetryPolicy(), on_retry)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def create(
        self,
        user_id: UUID | str,
        title: str,
        text: str,
        *,
        source: str | None = None,
        link: str | None = None,
        data: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Created:
        """Create a notification, once, however often the call must be repeated; see `Draft` for the limits.

        If it raises `Unreachable` or a 5xx it is unknown whether the notification was made; call again with the same
        ``idempotency_key`` to be sure, even from another process.
        """
        draft = Draft(user_id, title, text, source, link, data)
        headers = {"Idempotency-Key": idempotency_key or batches.new_key()}
        body = batches.encode(draft)
        created, answered = await self._transport.call(Created, "POST", "/notifications", body=body, headers=headers)
        return created.model_copy(update={"replayed": answered.get("Idempotency-Replayed") == "true"})

    def create_many(
        self,
        drafts: Iterable[Draft] | AsyncIterable[Draft],
        *,
        key_prefix: str | None = None,
        on_refused: batches.OnRefused | None = None,
    ) -> AsyncGenerator[Created, None]:
        """Create any number of notifications and yield what was made, in the order of ``drafts``.

        They are sent in batches of at most 1 000, each all or none, and no more than two of them are held. From an
        asynchronous iterable whatever is there is sent at once, without waiting for a batch to be full.

        Args:
            drafts: those without an ``idempotency_key`` get ``KEY_PREFIX#INDEX``.
            key_prefix: with the same one the whole call may be repeated, from another process too; made up if left out.
            on_refused: is told of drafts that the service does not take (422); the rest is created. Without it, the
                first batch with such a draft raises `Problem`, whose pointers count from the first draft of all, and
                none of that batch is created.
        """
        return batches.create_many(self._transport, drafts, key_prefix, on_refused)

    async def get(self, notification_id: UUID | str) -> Notification:
        """Return everything known of a notification."""
        return (await self._transport.call(Notification, "GET", f"/notifications/{notification_id}"))[0]

    async def status(self, notification_id: UUID | str, wait: float = 0) -> Status:
        """Return how far an analysis is, as soon as it is final, or after ``wait`` seconds, at most 30."""
        path, params = f"/notifications/{notification_id}/status", {"wait": wait or None}
        return (await self._transport.call(Status, "GET", path, params=params, extra_patience=wait))[0]

    async def wait(self, notification_id: UUID | str, timeout: float = 60) -> Notification:  # noqa: ASYNC109 - its service waits, too
        """Return a notification as soon as its analysis is final: judged, or failed with a reason in ``error``.

        Raises:
            TimeoutError: it was not final within ``timeout`` seconds; it will be later.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    began = clock()
                    status = await self.status(notification_id, min(_LONGEST_WAIT, max(deadline - began, 0)))
                    if status.processing_status.is_final:
                        notification = await self.get(notification_id)
                        if notification.is_final:
                            return notification
                    # A service that stops answers waits at once.
                    await asyncio.sleep(max(_TOO_SOON - (clock() - began), 0))
        except TimeoutError:
            raise TimeoutError(f"the analysis of {notification_id} was not over after {timeout:g} seconds") from None

    async def page(self, *, limit: int = _PAGE, cursor: str | None = None, **filters: Unpack[Filters]) -> Page:
        """Return one page of a listing, of at most ``limit`` (1 to 100) notifications.

        ``cursor`` is ``next_cursor`` of the page before, with the same filters and order.
        """
        params = {**_query(filters), "limit": limit, "cursor": cursor}
        return (await self._transport.call(Page, "GET", "/notifications", params=params))[0]

    async def notifications(
        self, *, limit: int | None = None, **filters: Unpack[Filters]
    ) -> AsyncGenerator[Notification, None]:
        """Yield a whole listing, page after page, or its first ``limit`` notifications."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            page = await self.page(limit=_PAGE if left is None else min(left, _PAGE), cursor=cursor, **filters)
            for notification in page.items:
                yield notification
            cursor = page.next_cursor
            if cursor is None:
                return
            left = None if left is None else left - len(page.items)

    async def mark_read(self, notification_id: UUID | str) -> Notification:
        """Note that it was seen; again changes nothing."""
        return await self._post(notification_id, "read")

    async def mark_unread(self, notification_id: UUID | str) -> Notification:
        """Note that it is to be seen again; again changes nothing."""
        return await self._post(notification_id, "unread")

    async def mark_all_read(
        self, user_id: UUID | str, *, up_to: str | None = None, **selection: Unpack[Selection]
    ) -> MarkedRead:
        """Mark read what ``selection`` takes of an inbox; with ``up_to``, a position, only what has not changed since.

        Without ``up_to`` a repeated call may mark what came meanwhile.
        """
        wanted = {"user_id": user_id, "up_to": up_to, **_query(selection)}
        given = {name: value for name, value in wanted.items() if value is not None}
        document = {name: value if isinstance(value, float | int) else str(value) for name, value in given.items()}
        body = json.dumps(document).encode()
        return (await self._transport.call(MarkedRead, "POST", "/notifications/read", body=body))[0]

    async def analyse_again(self, notification_id: UUID | str) -> Notification:
        """Have it judged anew; the old verdict stays until then."""
        return await self._post(notification_id, "analysis")

    async def delete(self, notification_id: UUID | str) -> None:
        """Take it out of its inbox; it can be restored for a while."""
        await self._transport.exchange("DELETE", f"/notifications/{notification_id}")

    async def restore(self, notification_id: UUID | str) -> Notification:
        """Undo a deletion."""
        return await self._post(notification_id, "restore")

    async def inbox(self, user_id: UUID | str) -> Inbox:
        """Return version, position and exact unread counts of an inbox."""
        return (await self._transport.call(Inbox, "GET", f"/inboxes/{user_id}"))[0]

    async def changes(self, user_id: UUID | str, since: str | None, limit: int = _PAGE) -> Changes:
        """Return what changed after the position ``since``, at most ``limit`` (1 to 1 000) notifications."""
        params = {"since": since, "limit": limit}
        return (await self._transport.call(Changes, "GET", f"/inboxes/{user_id}/changes", params=params))[0]

    async def mint_token(self, user_id: UUID | str, ttl: int | None = None) -> InboxToken:
        """Return a credential for one inbox, good for ``ttl`` seconds (1 to 86 400; the service's default if None)."""
        body = json.dumps({} if ttl is None else {"ttl": ttl}).encode()
        return (await self._transport.call(InboxToken, "POST", f"/inboxes/{user_id}/tokens", body=body))[0]

    def stream(
        self, user_id: UUID | str, since: str | None = None, *, stale_after: float = _STALE_AFTER
    ) -> AsyncGenerator[Message, None]:
        """Yield what happens in an inbox, for ever, by the protocol in docs/stream.md.

        A connection that ends is made again, with the last position, so that nothing is missed; meanwhile
        `Disconnected` tells. Keep the newest ``version`` of each notification; at `Reset`, and at a `Hello` that has
        not ``recovered`` anything, list what there is.

        Args:
            user_id: whose inbox.
            since: a position; what changed after it comes first. Without it, what changes from now on.
            stale_after: seconds without any message after which a connection is taken for dead; the service sends
                one at least every 25.

        Raises:
            StreamRefused: coming back would be in vain: the key was revoked or may not read this inbox, or ``since``
                is no position.
        """
        return stream.stream(self._transport, user_id, since, stale_after)

    async def _post(self, notification_id: UUID | str, what: str) -> Notification:
        return (await self._transport.call(Notification, "POST", f"/notifications/{notification_id}/{what}"))[0]


def _query(filters: Mapping[str, object]) -> dict[str, object]:
    return {
        _PARAMETERS.get(name, name): value.isoformat() if isinstance(value, datetime) else value
        for name, value in filters.items()
    }
