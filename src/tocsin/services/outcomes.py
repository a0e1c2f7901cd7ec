"""What becomes of a claimed job, and how it is written.

Outcomes of many jobs are written in one transaction. Each is applied only if the job still has the lease that the
outcome was reached under: what a worker found out after its lease was given to another does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.models.inbox import Inbox
from tocsin.models.notification import Notification
from tocsin.models.verdict import Verdict
from tocsin.repositories.analysis_jobs import Lease, PutBack
from tocsin.repositories.notifications import Message
from tocsin.repositories.unit_of_work import UnitOfWork
from tocsin.services.ports import Clock


@dataclass(frozen=True, slots=True)
class Claimed:
    """A lease together with what is to be judged."""

    lease: Lease
    message: Message


@dataclass(frozen=True, slots=True)
class Started:
    """The AI is being asked. Void if the same lease came to an end in the meantime."""

    claimed: Claimed


@dataclass(frozen=True, slots=True)
class Judged:
    """The AI gave a verdict."""

    claimed: Claimed
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class GivenUp:
    """There will be no verdict; ``reason`` is for the user."""

    claimed: Claimed
    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Another try comes in ``delay`` seconds; ``counted`` false takes this one back."""

    claimed: Claimed
    delay: float
    counted: bool
    error: str | None


Outcome = Started | Judged | GivenUp | Postponed


async def apply_outcomes(uow: UnitOfWork, outcomes: Sequence[Outcome], clock: Clock) -> list[bool]:
    """Apply ``outcomes`` in their order; return for each whether its lease was still held.

    Two of them may be about one notification: a lease that was lost, for example by a deletion that was undone, and
    the one that took its place. There must be at most one for each lease.
    """
    inboxes = await uow.inboxes.lock({outcome.claimed.message.user_id for outcome in outcomes})
    held = await uow.jobs.lock_held(outcome.claimed.lease for outcome in outcomes)
    alive = [outcome for outcome in outcomes if outcome.claimed.lease.id in held]
    notifications = await uow.notifications.get_many({outcome.claimed.lease.notification_id for outcome in alive})
    for outcome in alive:
        notification = notifications[outcome.claimed.lease.notification_id]
        _apply(inboxes[notification.user_id], notification, outcome, clock)
    if finished := [o.claimed.lease.notification_id for o in alive if isinstance(o, Judged | GivenUp)]:
        await uow.jobs.withdraw(finished)
    if back := [_put_back(outcome) for outcome in alive if isinstance(outcome, Postponed)]:
        await uow.jobs.put_back(back)
    return [outcome.claimed.lease.id in held for outcome in outcomes]


def _apply(inbox: Inbox, notification: Notification, outcome: Outcome, clock: Clock) -> None:
    tries = outcome.claimed.lease.tries
    match outcome:
        case Started():
            inbox.change(notification, lambda: notification.begin_processing(tries))
        case Judged(_, verdict):
            inbox.change(notification, lambda: notification.complete(verdict, tries, clock()))
        case GivenUp(_, reason):
            inbox.change(notification, lambda: notification.fail(reason, tries))
        case Postponed():
            left = tries if outcome.counted else tries - 1
            inbox.change(notification, lambda: notification.postpone(left))


def _put_back(outcome: Postponed) -> PutBack:
    return PutBack(outcome.claimed.lease.notification_id, outcome.delay, outcome.counted, outcome.error)
