"""The clock and the counts of an inbox, whatever its notifications go through."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification, ProcessingStatus, Severity, new_notification_id
from tocsin.models.verdict import Category, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER = new_notification_id()
VERDICTS = [Verdict(category, 0.5, ("word",), "test") for category in Category]
TRANSITIONS: list[Callable[[Notification], bool]] = [
    lambda it: it.mark_read(NOW),
    lambda it: it.mark_unread(),
    lambda it: it.delete(NOW),
    lambda it: it.restore(),
    lambda it: it.begin_processing(1),
    lambda it: it.postpone(1),
    lambda it: it.fail("no luck", 1),
    lambda it: it.request_analysis(),
    *(lambda it, verdict=verdict: it.complete(verdict, 1, NOW) for verdict in VERDICTS),
]


def new_inbox() -> Inbox:
    zeros = dict.fromkeys(("unread_info", "unread_warning", "unread_critical", "unread_unjudged"), 0)
    return Inbox(user_id=USER, version=0, floor=0, **zeros)


class InboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.inbox = new_inbox()
        self.notifications: list[Notification] = []
        self.versions: list[int] = []

    @rule()
    def create(self) -> None:
        self.inbox.version += 1
        self.inbox.count(Severity.UNJUDGED, 1)
        self.notifications.append(
            Notification(
                id=new_notification_id(),
                user_id=USER,
                version=self.inbox.version,
                severity=Severity.UNJUDGED,
                processing_status=ProcessingStatus.PENDING,
                tries=0,
            )
        )
        self.versions.append(self.inbox.version)

    @rule(which=st.integers(0, 1000), transition=st.sampled_from(TRANSITIONS))
    def change(self, which: int, transition: Callable[[Notification], bool]) -> None:
        if not self.notifications:
            return
        notification = self.notifications[which % len(self.notifications)]
        before = self.inbox.version
        changed = self.inbox.change(notification, lambda: transition(notification))
        assert self.inbox.version == before + changed
        if changed:
            assert notification.version == self.inbox.version
            self.versions.append(notification.version)

    @invariant()
    def counts_are_exact(self) -> None:
        unread = Counter(Severity(it.severity) for it in self.notifications if it.counts_as_unread)
        assert unread[Severity.INFO] == self.inbox.unread_info
        assert unread[Severity.UNJUDGED] == self.inbox.unread_unjudged
        assert unread[Severity.WARNING] == self.inbox.unread_warning
        assert unread[Severity.CRITICAL] == self.inbox.unread_critical

    @invariant()
    def versions_have_no_hole(self) -> None:
        assert self.versions == list(range(1, self.inbox.version + 1))


TestInbox = InboxMachine.TestCase
