"""The composition root: the one page that builds and wires everything.

The API, the worker, the command line and the tests all get their objects from here.
"""

import gc
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tocsin.errors import StartFailed
from tocsin.integrations.redis_change_feed import open_change_feed
from tocsin.integrations.redis_client import GuardedRedis, open_redis
from tocsin.integrations.redis_page_cache import RedisPageCache
from tocsin.integrations.redis_rate_limiter import RedisRateLimiter
from tocsin.repositories.engine import open_engine
from tocsin.repositories.schema_revisions import is_behind
from tocsin.repositories.unit_of_work import Database
from tocsin.services.access import AccessService
from tocsin.services.analysis import AnalysisService
from tocsin.services.circuit_breaker import BreakerState, CircuitBreaker
from tocsin.services.cursors import CursorCodec
from tocsin.services.finality_watch import FinalityWatch
from tocsin.services.inboxes import InboxService
from tocsin.services.intake import IntakeService
from tocsin.services.leases import LeaseKeeper
from tocsin.services.maintenance import Maintenance, Purger, Ringer
from tocsin.services.notifications import NotificationService
from tocsin.services.pages import PageService
from tocsin.services.patient_analyzer import PatientAnalyzer
from tocsin.services.ports import Analyzer, ChangeFeed, Clock, Doorbell, Versions
from tocsin.services.rate_limits import RateLimitService
from tocsin.services.readiness import ReadinessService
from tocsin.services.retention import Retention
from tocsin.services.retry_policy import RetryPolicy
from tocsin.services.search_pages import SearchPages
from tocsin.services.search_upkeep import SearchUpkeep
from tocsin.services.signed_tokens import SignedTokens
from tocsin.services.slots import Slots
from tocsin.services.stream_hub import StreamHub
from tocsin.services.stream_keeper import StreamKeeper, StreamTimes
from tocsin.services.stream_tokens import StreamTokens
from tocsin.services.streams import StreamService
from tocsin.services.turnstile import Turnstile
from tocsin.services.waiting_room import WaitingRoom
from tocsin.settings import AiSettings, LimitSettings, RedisSettings, Settings
from tocsin.telemetry import BREAKER_STATE, CALLS_MAX

_NEW_OBJECTS = 10_000
_MIGRATION_SECONDS = 3_600
_MIGRATION_LOCK_SECONDS = 2
_BREAKER_LEVELS = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process that takes requests works with."""

    database: Database
    doorbell: Doorbell
    access: AccessService
    intake: IntakeService
    notifications: NotificationService
    inboxes: InboxService
    pages: PageService
    finality: FinalityWatch
    readiness: ReadinessService
    rate_limits: RateLimitService
    streams: StreamService


@dataclass(frozen=True, slots=True)
class WorkerResources:
    """What a process that analyses works with."""

    analysis: AnalysisService
    keeper: LeaseKeeper
    maintenance: Maintenance


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_database(
    settings: Settings, application: str, on_moved: Callable[[Versions], None] | None = None
) -> AsyncIterator[Database]:
    """Open the database alone, for commands that need nothing else; ``on_moved`` as `Database` has it."""
    options = settings.database
    async with open_engine(
        options.url.get_secret_value(),
        application=application,
        pool_size=options.pool_size,
        pool_timeout=options.pool_timeout,
        connect_timeout=options.connect_timeout,
        statement_timeout=options.statement_timeout,
    ) as engine:
        yield Database(engine, on_moved)


def settle_memory() -> None:
    """Keep the garbage collector away from what was made at the start and lives as long as the process.

    To be called once it is ready for work; a start may do without the collector until then. Else hundreds of thousands
    of objects, most of them of libraries, are searched again and again for garbage that is not among them, and small
    ones of calls make it search all the time.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)


async def migrate_database(settings: Settings) -> None:
    """Bring the schema up to date."""
    # Alembic takes a while to import; those that find the schema as it should be need not wait for it.
    from tocsin.repositories import schema

    url = settings.database.url.get_secret_value()
    async with open_engine(
        url, application="tocsin-migrate", statement_timeout=_MIGRATION_SECONDS, lock_timeout=_MIGRATION_LOCK_SECONDS
    ) as engine:
        await schema.upgrade(engine)


async def require_schema(settings: Settings, *, migrate: bool = False) -> None:
    """Look before a start whether the database has the tables of this version; ``migrate`` makes those that it lacks.

    Raises:
        StartFailed: it has not.
        DatabaseUnavailable: it cannot be reached, or others keep a table locked that is to be changed.
    """
    options = settings.database
    url = options.url.get_secret_value()
    async with open_engine(url, application="tocsin-start", connect_timeout=options.connect_timeout) as engine:
        behind = await is_behind(engine)
    if behind and not migrate:
        raise StartFailed("The database has not the tables of this version. Run `tocsin migrate` first.")
    if behind:
        await migrate_database(settings)


async def begin_epoch(settings: Settings) -> UUID:
    """Begin a new epoch, after which no position that was given out before can be resumed from; return it."""
    await require_schema(settings)
    async with open_database(settings, "tocsin-restored") as database:
        return await database.transaction(lambda uow: uow.inboxes.begin_epoch())


def build_access(settings: Settings, database: Database, clock: Clock = utc_now) -> AccessService:
    """Build what proves credentials and keeps keys."""
    ttl = timedelta(seconds=settings.api.token_ttl)
    return AccessService(database, SignedTokens(settings.signing_secrets), ttl, clock)


@asynccontextmanager
async def open_resources(
    settings: Settings, *, clock: Clock = utc_now, feed: ChangeFeed | None = None
) -> AsyncIterator[Resources]:
    """Open what the API needs; at the end, what was accepted is stored and those who wait are let go.

    ``feed`` takes the place of the one over Redis.
    """
    async with AsyncExitStack() as stack:
        if feed is None:
            feed = await stack.enter_async_context(_open_feed(settings.redis, listening=True))
        database = await stack.enter_async_context(open_database(settings, "tocsin-api", feed.publish))
        doorbell = await stack.enter_async_context(_open_doorbell(settings.redis))
        # One for both, so that a call waits but once for a server that is frozen.
        redis = await stack.enter_async_context(_open_cache_server(settings.redis))
        cache = RedisPageCache(redis, settings.api.cache_ttl)
        finality = FinalityWatch(database, feed)
        feed.add_reader(finality)
        stack.callback(finality.close)
        streams = _build_streams(settings, database, feed, clock)
        await stack.enter_async_context(streams.running())
        intake = IntakeService(database, doorbell, settings.api.ingest_queue)
        stack.push_async_callback(intake.drain)
        undo = timedelta(seconds=settings.inbox.undo)
        room = WaitingRoom(settings.api.max_waits, settings.api.max_waits_of_caller)
        # Half of the connections stay free for what is quick: keys, creates, single notifications.
        turnstile = Turnstile(settings.database.pool_size // 2, settings.database.pool_timeout)
        search = SearchPages()
        yield Resources(
            database=database,
            doorbell=doorbell,
            access=build_access(settings, database, clock),
            intake=intake,
            notifications=NotificationService(database, doorbell, finality, room, undo, clock),
            inboxes=InboxService(database, turnstile, search, clock),
            pages=PageService(database, cache, CursorCodec(*settings.signing_secrets), turnstile, search),
            finality=finality,
            readiness=ReadinessService(database, doorbell),
            rate_limits=RateLimitService(RedisRateLimiter(redis), _quotas(settings.limits)),
            streams=streams,
        )


@asynccontextmanager
async def open_worker_resources(
    settings: Settings, *, analyzer: Analyzer | None = None, clock: Clock = utc_now
) -> AsyncIterator[WorkerResources]:
    """Open what the worker needs; ``analyzer`` takes the place of the configured one."""
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(_open_feed(settings.redis, listening=False))
        database = await stack.enter_async_context(open_database(settings, "tocsin-worker", feed.publish))
        doorbell = await stack.enter_async_context(_open_doorbell(settings.redis))
        breaker = _build_breaker(settings.ai)
        policy = RetryPolicy(
            quick_repeats=settings.ai.quick_repeats,
            max_tries=settings.ai.max_tries,
            delay=settings.ai.retry_delay,
            delay_max=settings.ai.retry_delay_max,
        )
        if analyzer is None:
            # The HTTP client takes a while to import, and the API asks no AI.
            from tocsin.integrations.analyzers import open_analyzer

            analyzer = await stack.enter_async_context(open_analyzer(settings.ai))
        patient = PatientAnalyzer(analyzer, policy, may_repeat=lambda: breaker.state is BreakerState.CLOSED)
        options = settings.worker
        keeper = LeaseKeeper(database, timedelta(seconds=options.lease), options.renew_every)
        slots = Slots(settings.ai.concurrency)
        CALLS_MAX.set(settings.ai.concurrency)
        analysis = AnalysisService(
            database, patient, breaker, policy, keeper, slots, doorbell, clock, settings.ai.provider
        )
        ringer = Ringer(database, doorbell, breaker, timedelta(seconds=options.overdue), analysis.take_up)
        undo, tombstone = timedelta(seconds=settings.inbox.undo), timedelta(seconds=settings.inbox.tombstone)
        purger = Purger(database, undo, tombstone, clock)
        retention = Retention(database, timedelta(seconds=settings.inbox.retention), clock)
        maintenance = Maintenance(database, ringer, retention, purger, SearchUpkeep(database), options.maintain_every)
        yield WorkerResources(analysis, keeper, maintenance)


@asynccontextmanager
async def _open_doorbell(settings: RedisSettings) -> AsyncIterator[Doorbell]:
    # Celery takes a while to import; commands that only look into the database need not wait for it.
    from tocsin.integrations.celery_app import make_celery
    from tocsin.integrations.celery_doorbell import open_doorbell

    url = settings.broker_url.get_secret_value()
    timeouts = {"connect_timeout": settings.connect_timeout, "read_timeout": settings.read_timeout}
    async with (
        open_redis(url, use="broker", **timeouts, pause=settings.pause) as redis,
        open_doorbell(make_celery(url, **timeouts), redis, settings.pause) as doorbell,
    ):
        yield doorbell


def _open_cache_server(settings: RedisSettings) -> AbstractAsyncContextManager[GuardedRedis]:
    return open_redis(
        settings.effective_cache_url.get_secret_value(),
        use="cache",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        pause=settings.pause,
    )


def _open_feed(settings: RedisSettings, *, listening: bool) -> AbstractAsyncContextManager[ChangeFeed]:
    return open_change_feed(
        settings.broker_url.get_secret_value(),
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        pause=settings.pause,
        listening=listening,
    )


def _build_streams(settings: Settings, database: Database, feed: ChangeFeed, clock: Clock) -> StreamService:
    options = settings.stream
    hub = StreamHub(database, options.max_open, options.max_per_inbox)
    feed.add_reader(hub)
    times = StreamTimes(options.ping_every, options.look_every, options.look_every_alone)
    keeper = StreamKeeper(hub, database, feed, times, clock)
    ttl = timedelta(seconds=settings.api.token_ttl)
    tokens = StreamTokens(SignedTokens(settings.signing_secrets), ttl, clock)
    return StreamService(database, hub, keeper, tokens, clock)


def _quotas(settings: LimitSettings) -> dict[str, int]:
    return {name.replace("_", "-"): quota for name, quota in settings.model_dump().items()}


def _build_breaker(settings: AiSettings) -> CircuitBreaker:
    gauge = BREAKER_STATE.labels(settings.provider)
    return CircuitBreaker(
        settings.breaker_threshold,
        settings.breaker_cooldown,
        settings.breaker_cooldown_max,
        time.monotonic,
        lambda state: gauge.set(_BREAKER_LEVELS[state]),
    )
