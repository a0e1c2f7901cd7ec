"""What stands at the ends of a trace: a collector that takes OTLP, and an AI that notes what it was told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One span, with ids in hexadecimal as in ``traceparent``."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]


@dataclass
class Ends:
    """What came to the collector and to the AI."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    traceparents: list[str | None] = field(default_factory=list)

    async def collect(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append(body)
        self.spans += _read(ExportTraceServiceRequest.FromString(body))
        return web.Response(content_type="application/x-protobuf")

    async def analyze(self, request: web.Request) -> web.Response:
        self.traceparents.append(request.headers.get("traceparent"))
        return web.json_response({"category": "info", "confidence": 0.9, "keywords": []})


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[Ends]:
    """Listen on a free port: ``/v1/traces`` collects, ``/analyze`` judges."""
    ends = Ends()
    application = web.Application()
    application.add_routes([web.post("/v1/traces", ends.collect), web.post("/analyze", ends.analyze)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        ends.url = f"http://{host}:{runner.addresses[0][1]}"
        yield ends
    finally:
        await runner.cleanup()


def _read(exported: Any) -> list[Span]:  # noqa: ANN401 - generated code has no types
    return [
        Span(
            service=_texts(resource.resource.attributes)["service.name"],
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            attributes=_texts(span.attributes),
        )
        for resource in exported.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _texts(attributes: Any) -> dict[str, str]:  # noqa: ANN401 - generated code has no types
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in attributes}
