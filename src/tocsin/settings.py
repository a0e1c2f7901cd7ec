"""Everything that can be configured, and nothing else.

Settings come from the environment: ``TOCSIN_`` and the name, with two underscores between a group and its
field (``TOCSIN_AI__CONCURRENCY``); an empty variable is one that is not set. What must not be in the environment
is a file of that name in the folder that ``TOCSIN_SECRETS_DIR`` names. There is no global instance: the edge
(command line, composition root) loads them once with `load_settings` and hands down what is needed. Times are
seconds.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from tocsin.errors import ConfigurationError
from tocsin.setting_types import DatabaseUrl, Origins, Quota, RedisUrl, Seconds, Secret


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Group):
    """Where the truth lives."""

    url: DatabaseUrl = Field(description="PostgreSQL 15 or newer.")
    pool_size: int = Field(8, ge=2, le=200, description="Connections kept by one process.")
    pool_timeout: Seconds = Field(2, description="How long a call waits for a free connection before 503.")
    connect_timeout: Seconds = Field(3, description="How long opening a connection may take.")
    statement_timeout: Seconds = Field(10, description="How long one statement may run.")


class RedisSettings(_Group):
    """The doorbell and the cache; losing either loses nothing."""

    broker_url: RedisUrl = Field(description="The Celery broker.")
    cache_url: RedisUrl | None = Field(None, description="The page cache; the broker's server if unset.")
    connect_timeout: Seconds = Field(0.05, description="How long opening a connection may take.")
    read_timeout: Seconds = Field(0.1, description="How long one answer may take.")
    worker_connect_timeout: Seconds = Field(2, description="How long a worker's connection to the broker may take.")
    pause: Seconds = Field(1, description="After a failure, how long Redis is left alone.")

    @property
    def effective_cache_url(self) -> RedisUrl:
        return self.cache_url or self.broker_url


class ApiSettings(_Group):
    """The HTTP server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(8 * 2**20, ge=2**16, le=64 * 2**20, description="Largest request body.")
    max_waits: int = Field(5_000, ge=1, description="Calls with 'wait' that may wait in one process; more get 503.")
    max_waits_of_caller: int = Field(1_000, ge=1, description="The same with one credential; more get 429.")
    max_connections: int = Field(10_000, ge=10, description="Open connections of one process, streams included.")
    head_timeout: Seconds = Field(10, description="How long a client may take to send the head of a request.")
    body_timeout: Seconds = Field(60, description="How long a client may take to send the body of a request.")
    read_timeout: Seconds = Field(
        30, description="A client who reads less than 1 KiB a second for this long is cut off."
    )
    keep_alive: Seconds = Field(75, description="How long a connection may be idle; more than a proxy keeps it.")
    graceful_timeout: Seconds = Field(8, description="How long running requests may go on after SIGTERM.")
    token_ttl: Seconds = Field(3600, description="How long an inbox token lives unless asked otherwise.")
    cors_origins: Origins = Field(
        (), description="Pages of other origins that may call, separated by commas: https://app.example.com."
    )
    cache_ttl: Seconds = Field(60, description="How long a rendered page is kept.")
    ingest_queue: int = Field(
        10_000,
        ge=100,
        description="Creates that may wait for the database; more get 503.",
    )


class StreamSettings(_Group):
    """Live streams of inboxes."""

    ping_every: Annotated[float, Field(gt=0, le=25)] = Field(
        25, description="How often a stream says that it is alive; below what proxies on the way cut off."
    )
    look_every: Seconds = Field(25, description="How often changes are looked for that nothing told of.")
    look_every_alone: Seconds = Field(2, description="The same while Redis is gone.")
    max_per_inbox: int = Field(100, ge=1, description="Streams of one inbox in one process.")
    max_open: int = Field(10_000, ge=1, description="Streams in one process.")


class LimitSettings(_Group):
    """How much is served, in units a minute; 0 is no limit. A notification of a batch is a unit."""

    key_read: Quota = Field(60_000, description="Reads with one service key.")
    key_write: Quota = Field(60_000, description="Creates, changes, and minted tokens with one service key.")
    key_analysis: Quota = Field(600, description="Analyses that are asked for again with one service key.")
    inbox_read: Quota = Field(6_000, description="Reads of one inbox by its user; and as many where keys name it.")
    inbox_write: Quota = Field(6_000, description="Changes in one inbox by its user; and as many by all keys together.")
    inbox_analysis: Quota = Field(60, description="Analyses that are asked for again by the user of an inbox.")


class InboxSettings(_Group):
    """How long notifications are kept, and deleted ones remembered."""

    retention: float = Field(0, ge=0, description="How long a notification is kept; 0 is for ever.")
    undo: Seconds = Field(600, description="How long a deletion can be undone.")
    tombstone: float = Field(30 * 86_400, ge=0, description="How long clients that were away can learn of a deletion.")


class AiSettings(_Group):
    """Who judges, and how patiently we ask."""

    provider: Literal["http", "llm", "rules"] = Field(
        "http",
        description="http: POST {text}; llm: an OpenAI-compatible chat API; rules: keywords, no network.",
    )
    url: HttpUrl = Field(
        HttpUrl("http://127.0.0.1:8001/analyze"),
        description="The endpoint (http) or the base URL (llm).",
    )
    api_key: SecretStr | None = Field(None, description="Sent as a bearer token.")
    model: str = Field("gpt-4o-mini", description="The model (llm only).")
    timeout: Seconds = Field(30, description="Deadline of one call.")
    concurrency: int = Field(256, ge=1, le=4096, description="Calls in the air per worker process.")
    quick_repeats: int = Field(2, ge=0, le=5, description="Repeats of a failed call within one try.")
    max_tries: int = Field(5, ge=1, le=100, description="Tries before a notification ends as failed.")
    retry_delay: Seconds = Field(5, description="Delay before the second try; it quadruples with each.")
    retry_delay_max: Seconds = Field(900, description="Longest delay between tries.")
    breaker_threshold: int = Field(5, ge=1, description="Different notifications in a row that open the breaker.")
    breaker_cooldown: Seconds = Field(5, description="First pause of an open breaker; it doubles.")
    breaker_cooldown_max: Seconds = Field(60, description="Longest pause of an open breaker.")


class WorkerSettings(_Group):
    """Leases and the maintenance loop."""

    lease: Seconds = Field(15, description="A dead worker's notifications are taken up again after this.")
    renew_every: Seconds = Field(5, description="How often leases are renewed; well below the lease.")
    maintain_every: Seconds = Field(5, description="How often overdue work is rung for and old rows are purged.")
    overdue: Seconds = Field(10, description="Work that could have been claimed for this long is rung for.")
    drain: Seconds = Field(7, description="How long analyses may go on after SIGTERM.")
    metrics_host: str = Field("127.0.0.1", description="Address on which the worker tells its metrics.")
    metrics_port: int = Field(0, ge=0, le=65_535, description="Port on which it does; 0: it does not.")


class TracingSettings(_Group):
    """Traces by OpenTelemetry; where they go is told by the OTEL_… variables of its specification."""

    enabled: bool = Field(False, description="Whether spans are made; needs the extra `tracing`, which the image has.")


class LogSettings(_Group):
    """What is written to standard error."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")


class MockAiSettings(BaseSettings):
    """The stand-in for the AI API, with knobs for trouble."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_MOCK_AI__", env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8001, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    delay_min: float = Field(1, ge=0, description="Shortest delay of an answer.")
    delay_max: float = Field(3, ge=0, description="Longest delay of an answer.")
    error_rate: float = Field(0, ge=0, le=1, description="Share of calls answered 500.")
    garbage_rate: float = Field(0, ge=0, le=1, description="Share of calls answered with rubbish.")
    busy_rate: float = Field(0, ge=0, le=1, description="Share of calls answered 429 with Retry-After.")
    hang_rate: float = Field(0, ge=0, le=1, description="Share of calls never answered.")


class Settings(BaseSettings):
    """The configuration of the API, the worker and the maintenance commands."""

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_", env_nested_delimiter="__", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    secret: Secret = Field(description="Signs inbox tokens and cursors; at least 32 random characters.")
    previous_secret: Secret | None = Field(
        None, description="Another one: what it signed is taken, too. For the time in which the secret is replaced."
    )
    secrets_dir: Path | None = Field(
        None,
        description="A folder of files named like these variables, with their values; variables count more.",
    )
    database: DatabaseSettings
    redis: RedisSettings
    api: ApiSettings = ApiSettings()
    limits: LimitSettings = LimitSettings()
    stream: StreamSettings = StreamSettings()
    inbox: InboxSettings = InboxSettings()
    ai: AiSettings = AiSettings()
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def signing_secrets(self) -> tuple[str, ...]:
        """The secret to sign with, and then those whose signatures are taken as well."""
        secrets = (self.secret, self.previous_secret)
        return tuple(secret.get_secret_value() for secret in secrets if secret)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, then the folder of files that it names."""
        folder = env_settings().get("secrets_dir")
        if folder is None:
            return init_settings, env_settings
        # The source would pass over a folder that it cannot list, and then everything seems to be missing.
        next(Path(folder).iterdir(), None)
        return init_settings, env_settings, NestedSecretsSettingsSource(file_secret_settings, secrets_dir=folder)


_Settings = TypeVar("_Settings", bound=BaseSettings)


def load_settings(kind: type[_Settings]) -> _Settings:
    """Read ``kind`` from the environment, and from files where it names a folder of them.

    Raises:
        ConfigurationError: naming every variable that is missing or does not fit, never its value.
    """
    try:
        return kind()
    except SettingsError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise ConfigurationError(f"TOCSIN_SECRETS_DIR: cannot read {error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError("TOCSIN_SECRETS_DIR: a file in it is not text in UTF-8") from None
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        lines = [
            f"{prefix}{'__'.join(path).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
            for path in _settable(kind, tuple(str(part) for part in problem["loc"]))
        ]
        raise ConfigurationError("; ".join(lines)) from None


def _settable(kind: type[BaseModel], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return ``path``, or, for a group of which nothing was set, the paths of what it requires."""
    (name, *inner) = path
    field = kind.model_fields.get(name)
    group = field.annotation if field else None
    if inner or not (isinstance(group, type) and issubclass(group, BaseModel)):
        return [path]
    return [(name, required) for required, field in group.model_fields.items() if field.is_required()]
