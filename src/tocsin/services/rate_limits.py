"""Rate limits: how much a credential may do, and how much may be done in an inbox, in a minute.

Reads, writes and analyses that are asked for again are counted apart. A service key has quotas of its own, and shares
those of an inbox with all other keys, where a call names one. The holder of an inbox token has the quotas of his inbox,
whatever the number of his tokens. What programs do in an inbox and what its user does are counted apart too, so that
neither keeps the other out. Where it cannot be told what was used, everything passes.
"""

import enum
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from tocsin.errors import FieldError, InvalidInput, RateLimited
from tocsin.services.access import Caller, ServiceCaller
from tocsin.services.ports import Charge, RateLimiter, Taken
from tocsin.telemetry import RATE_LIMIT_DECISIONS

WINDOW_SECONDS: Final = 60
_MAX_REMEMBERED: Final = 10_000
_DECISIONS: Final = {
    (f"{whose}-{activity}", outcome): RATE_LIMIT_DECISIONS.labels(f"{whose}-{activity}", outcome)
    for whose in ("key", "inbox")
    for activity in ("read", "write", "analysis")
    for outcome in ("allowed", "refused", "unchecked")
}
_NO_INBOX: Final[Mapping[UUID, int]] = {}
_log = structlog.get_logger(__name__)


class Activity(enum.StrEnum):
    """What is counted apart."""

    READ = "read"
    WRITE = "write"
    ANALYSIS = "analysis"


class Standing(NamedTuple):
    """How a caller stands with one quota.

    ``seconds`` is the time until all of the quota is there again or, where it is ``exceeded``, until the call would
    pass. ``inbox`` is the one that is meant, where the caller may act in many.
    """

    policy: str
    quota: int
    remaining: int
    seconds: int
    exceeded: bool
    inbox: UUID | None


class _Claim(NamedTuple):
    policy: str
    inbox: UUID | None
    charge: Charge


class RateLimitService:
    """Charges calls to the quotas that they fall under; ``quotas`` are units a minute by policy, 0 for no limit."""

    def __init__(
        self, limiter: RateLimiter, quotas: Mapping[str, int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limiter = limiter
        self._quotas = quotas
        self._monotonic = monotonic
        # What is used only leaks away, so who was told to come back need not be looked up before.
        self._exhausted_until: dict[str, float] = {}
        self._can_tell = True

    def exhausted(self, caller: Caller, activity: Activity, inboxes: Mapping[UUID, int] = _NO_INBOX) -> list[Standing]:
        """Return how ``caller`` stands with those quotas of which he was told, by this process, that nothing is left.

        It costs next to nothing, so it can be asked before his body is read.
        """
        if not self._exhausted_until:
            return []
        return self._still_exhausted(self._claims(caller, activity, inboxes))

    async def charge(
        self, caller: Caller, activity: Activity, inboxes: Mapping[UUID, int] = _NO_INBOX
    ) -> list[Standing]:
        """Charge one unit or, where ``inboxes`` are named, as many as are told for each; nothing, if that is too much.

        Returns how the caller stands then with the quota of his credential and, of those of the inboxes, with the one
        that has least left; or, if any are exceeded, with those. Nothing, if there is no limit or it cannot be told.

        Raises:
            InvalidInput: it is more at once than a quota ever is.
        """
        claims = self._claims(caller, activity, inboxes)
        _refuse_impossible(claims)
        standings = self._still_exhausted(claims) if self._exhausted_until else []
        if standings or not claims:
            return standings
        taken = await self._limiter.take([claim.charge for claim in claims])
        self._note_whether_it_can_tell(taken)
        if taken is None:
            _count((claim.policy for claim in claims), "unchecked")
            return []
        standings = [_standing(claim, used, taken) for claim, used in zip(claims, taken.used, strict=True)]
        if not taken.allowed:
            standings = [standing for standing in standings if standing.exceeded]
            self._remember(claims, taken)
        _count((standing.policy for standing in standings), "allowed" if taken.allowed else "refused")
        return _tightest(standings)

    def _claims(self, caller: Caller, activity: Activity, inboxes: Mapping[UUID, int]) -> list[_Claim]:
        shared = f"inbox-{activity}"
        quota = self._quotas[shared]
        if not isinstance(caller, ServiceCaller):
            own = _Claim(shared, None, Charge(f"{shared}:user:{caller.user_id.hex}", quota, 1))
            return [own] if quota else []
        claims = []
        policy = f"key-{activity}"
        if own_quota := self._quotas[policy]:
            cost = sum(inboxes.values()) if inboxes else 1
            claims.append(_Claim(policy, None, Charge(f"{policy}:{caller.key_id.hex}", own_quota, cost)))
        if quota:
            for inbox, cost in inboxes.items():
                claims.append(_Claim(shared, inbox, Charge(f"{shared}:service:{inbox.hex}", quota, cost)))
        return claims

    def _still_exhausted(self, claims: Iterable[_Claim]) -> list[Standing]:
        now = self._monotonic()
        standings = []
        for policy, inbox, charge in claims:
            wait = self._exhausted_until.get(charge.partition, now) - now
            if wait > 0:
                wait += (charge.cost - 1) * WINDOW_SECONDS / charge.quota
                standings.append(Standing(policy, charge.quota, 0, math.ceil(wait), True, inbox))
        _count((standing.policy for standing in standings), "refused")
        return _tightest(standings)

    def _remember(self, claims: Iterable[_Claim], taken: Taken) -> None:
        now = self._monotonic()
        if len(self._exhausted_until) >= _MAX_REMEMBERED:
            self._exhausted_until = {key: until for key, until in self._exhausted_until.items() if until > now}
        for claim, used in zip(claims, taken.used, strict=True):
            missing = used + 1 - claim.charge.quota
            if missing > 0 and len(self._exhausted_until) < _MAX_REMEMBERED:
                self._exhausted_until[claim.charge.partition] = now + missing * WINDOW_SECONDS / claim.charge.quota

    def _note_whether_it_can_tell(self, taken: Taken | None) -> None:
        if (taken is not None) == self._can_tell:
            return
        self._can_tell = not self._can_tell
        if self._can_tell:
            _log.info("rate_limits_back")
        else:
            _log.warning("rate_limits_unchecked")


def refusal(standings: Sequence[Standing]) -> RateLimited | None:
    """Return the error that tells which limits are exceeded and when to come back, if any is."""
    exceeded = [standing for standing in standings if standing.exceeded]
    if not exceeded:
        return None
    seconds = max(standing.seconds for standing in exceeded)
    limits = " and ".join(f"'{standing.policy}' ({standing.quota} a minute)" for standing in exceeded)
    detail = f"This is more than the limit {limits} allows now; come back in {seconds} s."
    return RateLimited(detail, [standing.policy for standing in exceeded], retry_after=seconds)


def _refuse_impossible(claims: Iterable[_Claim]) -> None:
    for policy, inbox, charge in claims:
        if charge.cost > charge.quota:
            what = "items" if inbox is None else "items for one inbox"
            found = f"must not have more {what} than the limit '{policy}' allows: {charge.quota} a minute"
            raise InvalidInput([FieldError("/items", found)])


def _standing(claim: _Claim, used: float, taken: Taken) -> Standing:
    policy, inbox, (_, quota, cost) = claim
    exceeded = not taken.allowed and used + cost > quota
    wait = used + cost - quota if exceeded else used
    return Standing(policy, quota, int(quota - used), math.ceil(wait * WINDOW_SECONDS / quota), exceeded, inbox)


def _tightest(standings: list[Standing]) -> list[Standing]:
    """Of the inboxes keep the one that has to wait longest or has least left, so that headers stay short."""
    if len(standings) <= 2:
        return standings
    inboxes = [standing for standing in standings if standing.inbox is not None]
    tightest = max(inboxes, key=lambda standing: (standing.exceeded, -standing.remaining, standing.seconds))
    return [standing for standing in standings if standing.inbox is None] + [tightest]


def _count(policies: Iterable[str], outcome: str) -> None:
    for policy in policies:
        _DECISIONS[policy, outcome].inc()
