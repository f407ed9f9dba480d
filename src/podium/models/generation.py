"""A running generation: chunks for the caller, bookkeeping for the server, exactly one end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from podium.core.errors import DeadlineExceeded
from podium.core.generation import Chunk
from podium.engine.flight import Flight


@dataclass
class Timing:
    """Seconds since the request was accepted; None until it has happened."""

    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    total_seconds: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Which model version and engine answer."""

    request_id: str
    model: str
    version: str
    engine: str
    created_unix_seconds: int


class Generation:
    """An async iterator of chunks, the first of which is there already.

    ``aclose`` (or leaving ``async with``) before the end aborts the sequence within one engine step.
    Raises the error that ends the request in its place: ``EngineCrashed``, ``DeadlineExceeded``, …
    """

    def __init__(
        self, provenance: Provenance, flight: Flight, timing: Timing, deadline: float | None, on_end: Callable[[], None]
    ) -> None:
        self.request_id = provenance.request_id
        self.model = provenance.model
        self.version = provenance.version
        self.engine = provenance.engine
        self.created_unix_seconds = provenance.created_unix_seconds
        self.timing = timing
        self._flight = flight
        self._deadline = deadline
        self._on_end: Callable[[], None] | None = on_end
        self._first: Chunk | None = None
        self._accepted = time.monotonic()

    async def wait_first(self) -> None:
        """Wait for the first chunk; its error is raised here and ends the generation."""
        try:
            self._first = await self._next()
        except BaseException:
            self._end()
            raise
        self.timing.first_token_seconds = (self.timing.queue_seconds or 0.0) + time.monotonic() - self._accepted

    def __aiter__(self) -> Generation:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk."""
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        chunk_ready = self._flight.take_ready()
        if chunk_ready is not None:
            return chunk_ready
        try:
            return await self._next()
        except BaseException:
            self._end()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; idempotent."""
        self._end()

    async def _next(self) -> Chunk:
        if self._deadline is None:
            return await anext(self._flight)
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(self._flight)
        except TimeoutError as error:
            raise DeadlineExceeded("The request's deadline passed before it was finished.") from error

    def _end(self) -> None:
        """Give back the permit, once; abort what still runs."""
        if self._on_end is None:
            return
        on_end, self._on_end = self._on_end, None
        self.timing.total_seconds = (self.timing.queue_seconds or 0.0) + time.monotonic() - self._accepted
        self._flight.close()
        on_end()
