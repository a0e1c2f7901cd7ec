"""What becomes of a claimed job, and how it is written.

Outcomes of many jobs are written in one transaction. Each is applied only if the job still has the lease that the
outcome was reached under: what a worker found out after its lease was given to another does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.models.verdict import Verdict
from tocsin.repositories.analysis_jobs import Claimed, PutBack
from tocsin.repositories.outcomes import Held
from tocsin.repositories.unit_of_work import UnitOfWork
from tocsin.services.ports import Clock


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
    leases = [outcome.claimed.lease for outcome in outcomes]
    held = await uow.outcomes.lock(leases, {outcome.claimed.message.user_id for outcome in outcomes})
    alive = [outcome for outcome in outcomes if outcome.claimed.lease.id in held]
    if changed := [it for o in alive if _apply(it := held[o.claimed.lease.id], o, clock)]:
        finished = [o.claimed.lease.notification_id for o in alive if isinstance(o, Judged | GivenUp)]
        await uow.outcomes.write(changed, finished)
    if back := [_put_back(outcome) for outcome in alive if isinstance(outcome, Postponed)]:
        await uow.jobs.put_back(back)
    return [lease.id in held for lease in leases]


def _apply(held: Held, outcome: Outcome, clock: Clock) -> bool:
    inbox, notification = held.inbox, held.notification
    tries = outcome.claimed.lease.tries
    match outcome:
        case Started():
            return inbox.change(notification, lambda: notification.begin_processing(tries))
        case Judged(_, verdict):
            return inbox.change(notification, lambda: notification.complete(verdict, tries, clock()))
        case GivenUp(_, reason):
            return inbox.change(notification, lambda: notification.fail(reason, tries))
        case Postponed():
            left = tries if outcome.counted else tries - 1
            return inbox.change(notification, lambda: notification.postpone(left))


def _put_back(outcome: Postponed) -> PutBack:
    return PutBack(outcome.claimed.lease.notification_id, outcome.delay, outcome.counted, outcome.error)
