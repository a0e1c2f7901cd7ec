"""Traces by OpenTelemetry, where they are switched on: one from a request through its job to the calls of the AI.

FastAPI makes the span of a request, under the trace of the caller if it came with a ``traceparent`` (W3C Trace
Context). The job carries that on, so that the analysis belongs to the request that asked for it, and the AI is told.
Where spans go is configured by the ``OTEL_…`` variables of the OpenTelemetry specification.

Off, which is the default, nothing of OpenTelemetry is imported here, and what is here does nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Literal

from tocsin import __version__
from tocsin.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

_NO_SPAN: Final = nullcontext[dict[str, str]]({})


class _Switch:
    tracer: "Tracer | None" = None


_SWITCH: Final = _Switch()


def switch_on(component: Literal["api", "worker"]) -> None:
    """Make spans from now on, and send them as OTLP over HTTP; at the end of the process, what is left.

    Raises:
        ConfigurationError: the packages that this needs are not installed.
    """
    try:
        # They are an extra, and cost time and memory, which nobody pays who does without.
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "TOCSIN_TRACING__ENABLED: needs packages that are not installed: pip install 'tocsin[tracing]'"
        ) from None

    class NoQueries(SpanProcessor):
        """Takes out what callers searched for."""

        def on_start(self, span: Span, parent_context: "Context | None" = None) -> None:
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "REDACTED")

    here = Resource({"service.name": f"tocsin-{component}", "service.version": __version__})
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say counts more; the default of the former says nothing.
    told = {
        name: value
        for name, value in Resource.create().attributes.items()
        if not str(value).startswith("unknown_service")
    }
    provider = TracerProvider(resource=here.merge(Resource(told)))
    provider.add_span_processor(NoQueries())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _SWITCH.tracer = provider.get_tracer("tocsin", __version__)


def is_on() -> bool:
    """Whether spans are made."""
    return _SWITCH.tracer is not None


def current_traceparent() -> str | None:
    """Return what a job must carry so that its analysis belongs to the present trace."""
    return _outgoing().get("traceparent") if _SWITCH.tracer else None


def analysis_span(
    traceparent: str | None, attributes: Mapping[str, str | int | None]
) -> AbstractContextManager[dict[str, str]]:
    """Trace what is done within as a part of the trace that the job carries, or of a new one."""
    return _analysis_span(_SWITCH.tracer, traceparent, attributes) if _SWITCH.tracer else _NO_SPAN


def call_span(method: str, address: str) -> AbstractContextManager[dict[str, str]]:
    """Trace a call of somebody else; the headers that tell him of it are what is entered.

    What an error says is not told, since it may quote him.
    """
    return _call_span(_SWITCH.tracer, method, address) if _SWITCH.tracer else _NO_SPAN


@contextmanager
def _analysis_span(
    tracer: "Tracer", traceparent: str | None, attributes: Mapping[str, str | int | None]
) -> Iterator[dict[str, str]]:
    # Imported by `switch_on`.
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {"traceparent": traceparent} if traceparent else {}
    told = {f"tocsin.{name}": value for name, value in attributes.items() if value is not None}
    with tracer.start_as_current_span(
        "analyse notification",
        context=TraceContextTextMapPropagator().extract(carrier, Context()),
        kind=SpanKind.CONSUMER,
        attributes=told,
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield {}


@contextmanager
def _call_span(tracer: "Tracer", method: str, address: str) -> Iterator[dict[str, str]]:
    # Imported by `switch_on`.
    from opentelemetry.trace import SpanKind, StatusCode

    with tracer.start_as_current_span(
        method,
        kind=SpanKind.CLIENT,
        attributes={"http.request.method": method, "server.address": address},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield _outgoing()
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _outgoing() -> dict[str, str]:
    # Imported by `switch_on`.
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers
