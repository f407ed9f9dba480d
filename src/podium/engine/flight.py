"""One request on its way through a worker, and the answer that comes back piece by piece."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from podium.core.errors import PodiumError
from podium.core.generation import Chunk
from podium.engine.messages import (
    Compute,
    Computed,
    Detokenize,
    InputTokens,
    Submit,
    Text,
    Tokenize,
    TokenizeInputs,
    Tokens,
)
from podium.engine.token_flow import TokenFlow

Call = Tokenize | Detokenize | TokenizeInputs | Compute
Answer = Tokens | Text | InputTokens | Computed


class Flight:
    """An async iterator of chunks that ends with the last choice's finish reason, or with an error.

    ``begun``: something of the answer has come, so the request cannot be moved to another worker.
    ``close`` is idempotent; closing before the end aborts the request in the worker.
    """

    def __init__(
        self, message: Submit | Call, *, choices: int, on_end: Callable[[Flight], None], flow: TokenFlow
    ) -> None:
        self.id = message.id
        self.message = message
        self.begun = False
        self.attempts = 0
        self._open_choices = choices
        self._on_end = on_end
        self._flow = flow
        self._chunks: deque[Chunk] = deque()
        self._answer: Answer | None = None
        self._error: PodiumError | None = None
        self._ended = False
        self._wake: asyncio.Future[None] | None = None
        self._last_at: dict[int, float] = {}

    def seconds_since(self, chunk: Chunk, now: float) -> float | None:
        """How long ``chunk`` came after the last piece of its choice; None for a first one, or one without tokens."""
        if not chunk.token_count:
            return None
        last = self._last_at.get(chunk.index)
        self._last_at[chunk.index] = now
        return None if last is None else now - last

    def put(self, chunk: Chunk) -> bool:
        """Deliver a chunk; True when it was the last."""
        self.begun = True
        self._chunks.append(chunk)
        self._flow.arrive(chunk.token_count)
        if chunk.finish_reason is not None:
            self._open_choices -= 1
            self._ended = self._open_choices == 0
        self._notify()
        return self._ended

    def put_answer(self, answer: Answer) -> None:
        """Deliver the answer of a call."""
        self._answer = answer
        self._ended = True
        self._notify()

    def fail(self, error: PodiumError) -> None:
        """End with an error, after the chunks that already came."""
        self._error = error
        self._ended = True
        self._notify()

    def close(self) -> None:
        """Give up what has not come yet, and what was not read."""
        self._ended = True
        self._flow.give_up(sum(chunk.token_count for chunk in self._chunks))
        self._chunks.clear()
        self._on_end(self)
        self._notify()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes from the worker."""
        return self._ended

    def __aiter__(self) -> Flight:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk. Raises the error that ended the request, in its place in the order."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._take()

    def take_ready(self) -> Chunk | None:
        """The next chunk if it is there already."""
        return self._take() if self._chunks else None

    def _take(self) -> Chunk:
        chunk = self._chunks.popleft()
        self._flow.read(chunk.token_count)
        return chunk

    async def answer(self) -> Answer:
        """The answer of a call. Raises its error."""
        while self._answer is None:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._answer

    async def _wait(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
