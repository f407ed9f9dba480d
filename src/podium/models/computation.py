"""A generation being computed, and everyone who reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from podium.cache.entry import Entry
from podium.core.errors import PodiumError
from podium.core.generation import Chunk
from podium.models.ports import Lease


class ChunkSource(Protocol):
    """Where chunks come from: an engine's flight, a computation's reader, a kept answer."""

    async def __anext__(self) -> Chunk:
        """The next chunk; cancelling the wait loses none."""

    def take_ready(self) -> Chunk | None:
        """The next chunk if it is there already."""

    def close(self) -> None:
        """Nobody reads on. Idempotent."""


class Permit(Protocol):
    """A place in the running batch."""

    def release(self, used_tokens: int) -> None:
        """Give it back."""


@dataclass(frozen=True)
class Provenance:
    """Which model version and engine answer."""

    model: str
    version: str
    engine: str
    created_unix_seconds: int


@dataclass(frozen=True)
class Kept:
    """A kept answer; ``similarity`` is that of another question that it was an answer to, None for the same one."""

    entry: Entry
    similarity: float | None = None


@dataclass(frozen=True)
class Run:
    """Everything that a computation holds until it ends."""

    provenance: Provenance
    flight: ChunkSource
    permit: Permit
    lease: Lease
    release_model: Callable[[], None]


@dataclass
class Progress:
    """Tokens so far."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    open_choices: int = 1

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.prompt_tokens = chunk.prompt_tokens or self.prompt_tokens
        self.output_tokens += chunk.token_count
        self.open_choices -= chunk.finish_reason is not None


@dataclass(eq=False)
class Computation:
    """One run of an engine. With ``log`` every chunk is remembered, so that others can read it from the start.

    There is no task between engine and readers: whoever needs the next chunk first takes it from the
    engine for all, so that a slow reader holds up nobody and a lone one pays nothing. The run ends with
    the last choice's finish reason, with the engine's error, or when the last reader leaves; then permit,
    model and reservation are given back, once, and ``on_end`` is called. ``priority_class`` is that of who
    leads it: in which class it waits for its place in the batch.
    """

    choices: int
    log: bool
    on_end: Callable[[Computation], None]
    priority_class: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    fingerprint: bytes = b""
    error: PodiumError | None = None
    ended: bool = False
    complete: bool = False
    run: Run | None = None
    kept: Kept | None = None
    readers: int = 0
    detached_seconds: float = 0.0
    on_detached: Callable[[Computation], None] | None = None
    _progress: Progress = field(init=False)
    _pulling: bool = False
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._progress = Progress(open_choices=self.choices)

    def begin(self, run: Run) -> None:
        """The engine has it; those who wait for the start may read."""
        self.run = run
        self._notify()

    def take_kept(self, kept: Kept) -> None:
        """There is nothing to compute: ``kept`` is the answer for all."""
        self.kept = kept
        self.stop()

    def is_due(self, priority_class: int) -> bool:
        """Whether a caller of that class waits no longer by joining than by itself."""
        return self.run is not None or self.priority_class >= priority_class

    async def decided(self) -> None:
        """Wait until it has begun (``run``), was found kept (``kept``), or will never begin (neither)."""
        while self.run is None and not self.ended:
            await self._changed()

    def reader(self) -> Reader:
        """One more reader, from the first chunk on. Until it is ``decided`` there is nothing to read."""
        self.readers += 1
        return Reader(self)

    def leave(self) -> None:
        """A reader is gone; without any the run is aborted, or goes on for a while where a retry may come."""
        self.readers -= 1
        if self.readers or self.ended or self.run is None:  # before the start it is its leader's
            return
        if self.on_detached is not None:
            self.on_detached(self)
        else:
            self.stop()

    def stop(self) -> None:
        """End it now, finished or not. Idempotent."""
        if self.ended:
            return
        self.ended = True
        if self.run is not None:
            used = self._progress
            self.run.flight.close()
            self.run.permit.release(used.prompt_tokens + used.output_tokens)
            self.run.lease.settle(used.prompt_tokens, used.output_tokens)
            self.run.release_model()
        self.on_end(self)
        self._notify()

    def take_ready(self) -> Chunk | None:
        """The next chunk that nobody has read, if the engine has made it already."""
        if self.run is None or self.ended or self._pulling:  # else the one who waits would miss it
            return None
        chunk = self.run.flight.take_ready()
        if chunk is not None:
            self._take(chunk)
        return chunk

    async def next_at(self, position: int) -> Chunk:
        """Chunk number ``position``; raises the run's error in its place, StopAsyncIteration after the last."""
        while True:
            if position < len(self.chunks):
                return self.chunks[position]
            if self.error is not None:
                raise self.error
            if self.ended:
                raise StopAsyncIteration
            if self._pulling:
                await self._changed()
                continue
            chunk = await self._pull()
            if chunk is not None and not self.log:
                return chunk

    async def finished(self) -> None:
        """Take everything from the engine to the end, whatever the end is."""
        position = len(self.chunks)
        try:
            while True:
                await self.next_at(position)
                position += 1
        except (StopAsyncIteration, PodiumError):
            return

    async def _pull(self) -> Chunk | None:
        assert self.run is not None  # noqa: S101 - this is a bug: readers exist after the start only
        self._pulling = True
        try:
            chunk = await anext(self.run.flight)
        except StopAsyncIteration:
            self.stop()
            return None
        except PodiumError as error:
            self.error = error
            self.stop()
            return None
        finally:
            self._pulling = False
            self._notify()
        self._take(chunk)
        return chunk

    def _take(self, chunk: Chunk) -> None:
        if self.log:
            self.chunks.append(chunk)
        self._progress.add(chunk)
        if self.run is not None:
            self.run.lease.note(self._progress.prompt_tokens, self._progress.output_tokens)
        if self._progress.open_choices == 0:
            self.complete = True
            self.stop()

    async def _changed(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class Reader:
    """One reader's place in a computation."""

    def __init__(self, computation: Computation) -> None:
        self._computation = computation
        self._position = 0
        self._open = True

    async def __anext__(self) -> Chunk:
        """The next chunk."""
        chunk = await self._computation.next_at(self._position)
        self._position += 1
        return chunk

    def take_ready(self) -> Chunk | None:
        """The next chunk if it is there already."""
        chunks = self._computation.chunks
        if self._position < len(chunks):
            chunk: Chunk | None = chunks[self._position]
        else:
            chunk = self._computation.take_ready()
        self._position += chunk is not None
        return chunk

    def close(self) -> None:
        """Leave. Idempotent."""
        if self._open:
            self._open = False
            self._computation.leave()


class Replay:
    """A kept answer, chunk by chunk as it was made."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = iter(chunks)

    async def __anext__(self) -> Chunk:
        """The next chunk."""
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def take_ready(self) -> Chunk | None:
        """The next chunk; None after the last."""
        return next(self._chunks, None)

    def close(self) -> None:
        """Nothing is held."""
