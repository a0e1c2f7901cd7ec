"""Which quotas a call falls under, and what its caller is told."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tocsin.errors import InvalidInput
from tocsin.services.access import InboxCaller, ServiceCaller
from tocsin.services.ports import Charge, Taken
from tocsin.services.rate_limits import Activity, RateLimitService, Standing, refusal
from tocsin.telemetry import RATE_LIMIT_DECISIONS

KEY, ANN, BEN = UUID(int=1), UUID(int=2), UUID(int=3)
SERVICE = ServiceCaller(KEY, frozenset(), b"")
USER = InboxCaller(ANN, datetime.max.replace(tzinfo=UTC))
QUOTAS = {
    "key-read": 60, "key-write": 60, "key-analysis": 6, "inbox-read": 30, "inbox-write": 30, "inbox-analysis": 3,
}  # fmt: skip


class Buckets:
    """Counts as the real thing does, but nothing ever leaks away."""

    def __init__(self) -> None:
        self.used: dict[str, float] = {}
        self.asked: list[list[Charge]] = []
        self.gone = False

    async def take(self, charges: Sequence[Charge]) -> Taken | None:
        self.asked.append(list(charges))
        if self.gone:
            return None
        allowed = all(self.used.get(one.partition, 0) + one.cost <= one.quota for one in charges)
        for one in charges if allowed else ():
            self.used[one.partition] = self.used.get(one.partition, 0) + one.cost
        return Taken(allowed, tuple(self.used.get(one.partition, 0) for one in charges))


class Stopwatch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def build(**changes: int) -> tuple[RateLimitService, Buckets, Stopwatch]:
    buckets, watch = Buckets(), Stopwatch()
    quotas = QUOTAS | {name.replace("_", "-"): quota for name, quota in changes.items()}
    return RateLimitService(buckets, quotas, watch), buckets, watch


@pytest.mark.parametrize(
    ("caller", "activity", "inboxes", "charges"),
    [
        (SERVICE, Activity.READ, {}, [(f"key-read:{KEY.hex}", 60, 1)]),
        (SERVICE, Activity.ANALYSIS, {}, [(f"key-analysis:{KEY.hex}", 6, 1)]),
        (
            SERVICE,
            Activity.READ,
            {BEN: 1},
            [(f"key-read:{KEY.hex}", 60, 1), (f"inbox-read:service:{BEN.hex}", 30, 1)],
        ),
        (
            SERVICE,
            Activity.WRITE,
            {ANN: 2, BEN: 3},
            [
                (f"key-write:{KEY.hex}", 60, 5),
                (f"inbox-write:service:{ANN.hex}", 30, 2),
                (f"inbox-write:service:{BEN.hex}", 30, 3),
            ],
        ),
        (USER, Activity.WRITE, {}, [(f"inbox-write:user:{ANN.hex}", 30, 1)]),
        (USER, Activity.READ, {BEN: 1}, [(f"inbox-read:user:{ANN.hex}", 30, 1)]),
    ],
)
async def test_a_call_is_charged_to_its_credential_and_to_the_inboxes_that_it_names_all_at_once(
    caller: ServiceCaller | InboxCaller, activity: Activity, inboxes: Mapping[UUID, int], charges: list[object]
) -> None:
    limits, buckets, _ = build()

    await limits.charge(caller, activity, inboxes)

    assert buckets.asked == [charges]


async def test_a_limit_of_0_is_none_and_asks_nobody() -> None:
    limits, buckets, _ = build(key_write=0)
    assert [one.policy for one in await limits.charge(SERVICE, Activity.WRITE, {ANN: 1})] == ["inbox-write"]

    limits, buckets, _ = build(key_write=0, inbox_write=0)
    assert await limits.charge(SERVICE, Activity.WRITE, {ANN: 1}) == []
    assert await limits.charge(USER, Activity.WRITE) == []
    assert limits.exhausted(SERVICE, Activity.WRITE) == []
    assert buckets.asked == []


async def test_a_caller_is_told_what_is_left_and_when_all_of_it_is_back() -> None:
    limits, buckets, _ = build()
    buckets.used[f"key-write:{KEY.hex}"] = 9.5

    standings = await limits.charge(SERVICE, Activity.WRITE, {ANN: 1})

    assert standings == [
        Standing("key-write", 60, 49, 11, False, None),
        Standing("inbox-write", 30, 29, 2, False, ANN),
    ]
    assert refusal(standings) is None


async def test_of_many_inboxes_he_is_told_of_the_one_with_least_left() -> None:
    limits, buckets, _ = build()
    buckets.used[f"inbox-write:service:{BEN.hex}"] = 20

    standings = await limits.charge(SERVICE, Activity.WRITE, {ANN: 1, BEN: 1, KEY: 1})

    assert [(one.policy, one.inbox, one.remaining) for one in standings] == [
        ("key-write", None, 57),
        ("inbox-write", BEN, 9),
    ]


async def test_who_is_refused_is_told_which_limit_it_was_and_when_the_call_would_pass() -> None:
    limits, buckets, _ = build()
    buckets.used = {f"key-write:{KEY.hex}": 58, f"inbox-write:service:{ANN.hex}": 29}

    standings = await limits.charge(SERVICE, Activity.WRITE, {ANN: 4})

    assert standings == [
        Standing("key-write", 60, 2, 2, True, None),
        Standing("inbox-write", 30, 1, 6, True, ANN),
    ]
    error = refusal(standings)
    assert error
    assert error.policies == ("key-write", "inbox-write")
    assert error.retry_after == 6
    assert "'key-write' (60 a minute) and 'inbox-write' (30 a minute)" in error.detail
    assert "in 6 s" in error.detail


async def test_a_limit_that_would_have_sufficed_is_not_blamed() -> None:
    limits, buckets, _ = build()
    buckets.used = {f"inbox-write:service:{ANN.hex}": 30}

    standings = await limits.charge(SERVICE, Activity.WRITE, {ANN: 1})

    assert standings == [Standing("inbox-write", 30, 0, 2, True, ANN)]


async def test_a_batch_that_is_more_than_a_quota_ever_is_is_bad_input() -> None:
    limits, buckets, _ = build()
    with pytest.raises(InvalidInput) as caught:
        await limits.charge(SERVICE, Activity.WRITE, {ANN: 30, BEN: 31})
    assert caught.value.errors[0].pointer == "/items"
    assert "'key-write' allows: 60 a minute" in caught.value.errors[0].detail

    with pytest.raises(InvalidInput) as caught:
        await limits.charge(SERVICE, Activity.WRITE, {ANN: 31})
    assert "for one inbox than the limit 'inbox-write' allows: 30 a minute" in caught.value.errors[0].detail
    assert buckets.asked == []


async def test_who_was_told_to_come_back_later_is_not_looked_up_before() -> None:
    limits, buckets, watch = build()
    buckets.used[f"key-read:{KEY.hex}"] = 59.5
    assert limits.exhausted(SERVICE, Activity.READ) == []
    await limits.charge(SERVICE, Activity.READ)
    looked_up = len(buckets.asked)

    for wait, seconds in ((0, 1), (0.4, 1)):
        watch.now = 1000 + wait
        expected = [Standing("key-read", 60, 0, seconds, True, None)]
        assert limits.exhausted(SERVICE, Activity.READ) == expected
        assert await limits.charge(SERVICE, Activity.READ) == expected
        assert limits.exhausted(SERVICE, Activity.WRITE) == limits.exhausted(USER, Activity.READ) == []
    assert len(buckets.asked) == looked_up

    watch.now = 1000.6
    assert limits.exhausted(SERVICE, Activity.READ) == []
    await limits.charge(SERVICE, Activity.READ)
    assert len(buckets.asked) == looked_up + 1


async def test_who_asked_for_too_much_at_once_may_still_come_with_less() -> None:
    limits, buckets, _ = build()
    buckets.used[f"key-write:{KEY.hex}"] = 55

    assert refusal(await limits.charge(SERVICE, Activity.WRITE, {ANN: 10}))
    assert refusal(await limits.charge(SERVICE, Activity.WRITE, {ANN: 5})) is None


def count(policy: str, outcome: str) -> float:
    samples = [sample for metric in RATE_LIMIT_DECISIONS.collect() for sample in metric.samples]
    wanted = {"policy": policy, "outcome": outcome}
    return sum(sample.value for sample in samples if sample.labels == wanted and sample.name.endswith("_total"))


async def test_if_it_cannot_be_told_all_pass_and_it_is_counted_and_said_once() -> None:
    limits, buckets, _ = build()
    before = count("key-read", "unchecked")
    buckets.gone = True
    with capture_logs() as logs:
        for _ in range(100):
            assert await limits.charge(SERVICE, Activity.READ) == []
        buckets.gone = False
        assert len(await limits.charge(SERVICE, Activity.READ)) == 1

    assert count("key-read", "unchecked") - before == 100
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("rate_limits_unchecked", "warning"),
        ("rate_limits_back", "info"),
    ]


async def test_decisions_are_counted_by_limit_and_outcome() -> None:
    limits, _, _ = build(inbox_analysis=1)
    seen = ("key-analysis", "allowed"), ("inbox-analysis", "allowed"), ("inbox-analysis", "refused")
    before = [count(*one) for one in seen]

    for _ in range(3):
        await limits.charge(SERVICE, Activity.ANALYSIS, {ANN: 1})

    assert [count(*one) - was for one, was in zip(seen, before, strict=True)] == [1, 1, 2]
