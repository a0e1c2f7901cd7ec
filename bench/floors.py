"""The floors: what the same server flags cost with next to nothing behind them.

``POST /bare`` reads a body and answers; ``POST /commit`` also stores one row by an ORM commit of its own, as most
services would. The row and its table are those of the product, with every index and constraint. What one WebSocket at
``/talk`` says, all that are open hear. Run as ``python -m bench.floors PORT DATABASE_URL``.
"""

import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.load import HOST
from tocsin.models.notification import Notification, ProcessingStatus, Severity, created_at_of, new_notification_id
from tocsin.repositories.engine import open_engine

_POOL = 32
"""One connection for each client, so that nobody waits for one."""


class _Draft(BaseModel):
    user_id: UUID
    title: str
    text: str


class _Stored(BaseModel):
    id: UUID


class _Talk:
    """A room in which each hears what anybody says."""

    def __init__(self) -> None:
        self._sockets: set[WebSocket] = set()

    async def __call__(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("Welcome.")
        self._sockets.add(socket)
        try:
            while True:
                text = await socket.receive_text()
                for listener in list(self._sockets):
                    await listener.send_text(text)
        except WebSocketDisconnect:
            pass
        finally:
            self._sockets.discard(socket)


def create_app(database_url: str) -> FastAPI:
    """Return the application of both floors."""
    versions = itertools.count(1)
    sessions: list[async_sessionmaker[AsyncSession]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with open_engine(database_url, application="bench-floor", pool_size=_POOL) as engine:
            sessions.append(async_sessionmaker(engine, expire_on_commit=False))
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def readyz() -> Response:
        return Response()

    @app.post("/bare", status_code=201)
    async def bare(draft: _Draft) -> _Stored:  # noqa: ARG001 - it is read and checked, which is what it is there for
        return _Stored(id=new_notification_id())

    @app.post("/commit", status_code=201)
    async def commit(draft: _Draft) -> _Stored:
        row_id = new_notification_id()
        row = Notification(
            id=row_id,
            user_id=draft.user_id,
            title=draft.title,
            text=draft.text,
            created_at=created_at_of(row_id),
            version=next(versions),
            severity=Severity.UNJUDGED,
            processing_status=ProcessingStatus.PENDING,
        )
        async with sessions[0]() as session:
            session.add(row)
            await session.commit()
        return _Stored(id=row_id)

    app.router.routes.append(WebSocketRoute("/talk", _Talk().__call__))
    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[2]),
        host=HOST,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
    )
