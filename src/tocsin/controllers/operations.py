"""Routes for operators: liveness, readiness, metrics."""

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from tocsin.controllers.dependencies import ResourcesOf
from tocsin.controllers.problems import declare
from tocsin.telemetry import API

router = APIRouter(tags=["operations"])


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ready", "degraded"] = Field(description="`degraded`: works, but slower, since Redis is gone.")
    database: Literal["ok"] = "ok"
    redis: Literal["ok", "unreachable"]


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Liveness:
    """Answers whenever the process can; restart it when it does not."""
    return Liveness()


@router.get("/readyz", summary="Can the service work?", responses=declare(503))
async def readyz(resources: ResourcesOf) -> Readiness:
    """`503` while the database cannot be reached; send no requests then."""
    alive = await resources.readiness.has_redis()
    return Readiness(status="ready" if alive else "degraded", redis="ok" if alive else "unreachable")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics() -> Response:
    """Everything that is counted in this process."""
    return Response(generate_latest(API), media_type=CONTENT_TYPE_LATEST)
