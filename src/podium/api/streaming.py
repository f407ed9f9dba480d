"""Server-sent events that cannot be mistaken for complete when they are not.

A stream has exactly one of two ends that a client may read: the dialect's closing events after every
choice has its finish reason, or an error event. Where not even that can be written, the connection is
closed without a proper end. There is no third.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

import structlog
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from podium.api.answering import UNFINISHED, first_error, note_end, note_start
from podium.api.disconnect import stop_on_disconnect
from podium.api.errors import internal_error
from podium.api.generations import Generation
from podium.api.record import RequestRecord, record_of
from podium.api.trailers import send_trailer
from podium.api.unread_watch import note_gone
from podium.core.errors import ClientDisconnected, EngineError, PodiumError
from podium.core.generation import Chunk, Usage
from podium.protocols.answer_report import FIELD
from podium.protocols.sse import one_line

_log = structlog.get_logger("podium.api")
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class EventWriter(Protocol):
    """One dialect's events of one answer."""

    def event(self, prompt: int, chunk: Chunk) -> bytes:
        """The event for ``chunk`` of prompt number ``prompt``; empty when there is nothing to say."""

    def closing(self, usage: Usage) -> Iterable[bytes]:
        """The events of a good end, one to a flush."""

    def failure(self, error: PodiumError) -> Iterable[bytes]:
        """The events of a bad end, one to a flush."""


class EventStream(Response):
    """Streams one or more generations, whose first chunks are there, as events; one event to a flush.

    A client that hangs up, or is dropped because it reads nothing, aborts the generations at once. All
    generations are closed when this returns, however it ends.
    """

    def __init__(
        self,
        generations: Sequence[Generation],
        writer: EventWriter,
        *,
        choices: int,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers({**_HEADERS, **(headers or {})})
        self.body = b""
        self.generations = generations
        self.writer = writer
        self.choices = choices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the whole stream. Cancellation closes the generations and leaves the stream without an end."""
        record = record_of(scope)
        record.stream = True
        try:
            async with AsyncExitStack() as closing:
                for generation in self.generations:
                    note_start(record, generation)
                    closing.push_async_callback(generation.aclose)
                async with stop_on_disconnect(receive):
                    await self._stream(scope, send, record)
        except ClientDisconnected as error:
            note_gone(scope, record, error)
        except asyncio.CancelledError:
            record.outcome = "cancelled"
            raise

    async def _stream(self, scope: Scope, send: Send, record: RequestRecord) -> None:
        pump = _Pump(send)
        closing = await self._most(pump, record)
        await pump.finish(closing, lambda: send_trailer(scope, FIELD, record.report().text))

    async def _most(self, pump: _Pump, record: RequestRecord) -> list[bytes]:
        """Write everything but the last events, which are given."""
        await pump.send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            usage = await self._pump_all(pump, record)
            return list(self.writer.closing(usage))
        except PodiumError as error:
            if isinstance(error, ClientDisconnected):
                raise
            return list(self.writer.failure(_noted(record, error)))
        except Exception:  # noqa: BLE001 - the request boundary: a bug too must end in an error event
            _log.exception("unexpected error in a stream")
            return list(self.writer.failure(_noted(record, internal_error())))

    async def _pump_all(self, pump: _Pump, record: RequestRecord) -> Usage:
        if len(self.generations) == 1:
            return await self._pump_one(pump, 0, self.generations[0], record)
        pump.share()
        with first_error():
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._pump_one(pump, number, generation, record), name=f"prompt-{number}")
                    for number, generation in enumerate(self.generations)
                ]
        return Usage.total(task.result() for task in tasks)

    async def _pump_one(self, pump: _Pump, prompt: int, generation: Generation, record: RequestRecord) -> Usage:
        usage = Usage()
        finish_reason: str | None = None
        unfinished = self.choices
        event = self.writer.event
        try:
            async for chunk in generation:
                usage = usage.add(chunk)
                if chunk.text:
                    record.has_text = True
                if chunk.finish_reason is not None:
                    unfinished -= 1
                    finish_reason = chunk.finish_reason
                if frame := event(prompt, chunk):
                    await pump.write(frame)
        finally:
            note_end(record, generation, usage, finish_reason)
        if unfinished:
            raise EngineError(UNFINISHED)
        return usage


class _Pump:
    """Writes events to one client, one after the other."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self._writing: asyncio.Lock | None = None

    def share(self) -> None:
        """Several generations write from now on: their events must not mix."""
        self._writing = asyncio.Lock()

    async def write(self, frame: bytes) -> None:
        """Write one event."""
        message = {"type": "http.response.body", "body": one_line(frame), "more_body": True}
        if self._writing is None:
            await self.send(message)
        else:
            async with self._writing:
                await self.send(message)

    async def finish(self, frames: Sequence[bytes], before_last: Callable[[], None]) -> None:
        """Write the last events, and the proper end with the last one."""
        for frame in frames[:-1]:
            await self.write(frame)
        before_last()
        await self.send({"type": "http.response.body", "body": one_line(frames[-1]), "more_body": False})


def _noted(record: RequestRecord, error: PodiumError) -> PodiumError:
    record.outcome = "stream_error"
    record.error_code = error.code
    return error
