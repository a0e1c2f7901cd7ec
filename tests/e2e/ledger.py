"""What the database holds, looked at past the product."""

from typing import Any

import asyncpg

from tests.e2e.api import FINAL, Api

_INBOX = """
    SELECT i.version, i.unread_info, i.unread_warning, i.unread_critical, i.unread_unjudged,
           count(n.id) AS notifications, min(n.version) AS lowest, max(n.version) AS highest,
           count(DISTINCT n.version) AS versions,
           count(*) FILTER (WHERE unread AND category = 'info') AS info,
           count(*) FILTER (WHERE unread AND category = 'warning') AS warning,
           count(*) FILTER (WHERE unread AND category = 'critical') AS critical,
           count(*) FILTER (WHERE unread AND category IS NULL) AS unjudged,
           (SELECT count(*) FROM analysis_jobs j JOIN notifications m ON m.id = j.notification_id
             WHERE m.user_id = i.user_id) AS jobs
      FROM inboxes i
      LEFT JOIN LATERAL (SELECT *, read_at IS NULL AND deleted_at IS NULL AS unread
                           FROM notifications WHERE user_id = i.user_id) n ON true
     WHERE i.user_id = $1
     GROUP BY i.user_id
"""


class Ledger:
    """Reads the database and holds the API to it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self._url, timeout=30)
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def clear(self) -> None:
        """Forget all notifications."""
        await self.rows("TRUNCATE inboxes, notifications CASCADE")

    async def tries(self, user: str) -> list[int]:
        """Return how many tries each notification of an inbox took, oldest first."""
        rows = await self.rows("SELECT tries FROM notifications WHERE user_id = $1 ORDER BY id", user)
        return [row["tries"] for row in rows]

    async def audit(self, api: Api, user: str) -> None:
        """See that the clock and the counts of an inbox at rest are exact, and that the API says the same."""
        (inbox,) = await self.rows(_INBOX, user)
        shown, changes = await api.inbox(user), await _read_changes(api, user)
        counts = {name: inbox[name] for name in ("info", "warning", "critical", "unjudged")}

        assert counts == {name: inbox[f"unread_{name}"] for name in counts}
        assert shown["unread"] == counts | {"total": sum(counts.values())}
        assert inbox["version"] == inbox["highest"] == shown["version"]
        assert inbox["versions"] == inbox["notifications"] == len(changes)
        assert [change["version"] for change in changes] == sorted({change["version"] for change in changes})
        assert inbox["jobs"] == sum(change["processing_status"] not in FINAL for change in changes)


async def _read_changes(api: Api, user: str) -> list[dict[str, Any]]:
    """Return all that changed since the inbox was made, page by page."""
    epoch = (await api.inbox(user))["position"].partition(".")[0]
    position, more, changes = f"{epoch}.0", True, []
    while more:
        page = await api.get(f"/inboxes/{user}/changes", since=position, limit=100)
        assert not page["reset"]
        position, more = page["position"], page["more"]
        changes += page["items"]
    return changes
