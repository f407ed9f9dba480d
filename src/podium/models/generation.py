"""One caller's view of a generation: chunks, and exactly one end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from podium.core.errors import DeadlineExceeded
from podium.core.generation import Chunk
from podium.core.standing import CacheStatus, Standing
from podium.models.computation import ChunkSource, Provenance


@dataclass(frozen=True)
class Served:
    """How a request is answered: by whom, from where, and what is left of the caller's quotas."""

    provenance: Provenance
    status: CacheStatus
    standings: Sequence[Standing] = ()
    age_seconds: float | None = None
    similarity: float | None = None


class Generation:
    """An async iterator of chunks, the first of which is there already.

    ``aclose`` (or leaving ``async with``) before the end aborts the sequence within one engine step, unless
    others read it too. Raises the error that ends the request in its place: ``EngineCrashed``,
    ``DeadlineExceeded``, …
    """

    def __init__(self, request_id: str, source: ChunkSource, served: Served, *, deadline: float | None) -> None:
        self.request_id = request_id
        self.model = served.provenance.model
        self.version = served.provenance.version
        self.engine = served.provenance.engine
        self.created_unix_seconds = served.provenance.created_unix_seconds
        self.cache_status = served.status
        self.age_seconds = served.age_seconds
        self.similarity = served.similarity
        self.standings = served.standings
        self._source = source
        self._deadline = deadline
        self._first: Chunk | None = None
        self._open = True

    async def wait_first(self) -> None:
        """Wait for the first chunk; its error is raised here and ends the generation."""
        self._first = self._source.take_ready() or await self._next()

    def __aiter__(self) -> Generation:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk."""
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        return self._source.take_ready() or await self._next()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; idempotent."""
        if self._open:
            self._open = False
            self._source.close()

    async def _next(self) -> Chunk:
        """The next chunk, within the deadline; any error ends the generation."""
        try:
            if self._deadline is None:
                return await anext(self._source)
            async with asyncio.timeout_at(self._deadline):
                return await anext(self._source)
        except TimeoutError as error:
            await self.aclose()
            raise DeadlineExceeded("The request's deadline passed before it was finished.") from error
        except BaseException:
            await self.aclose()
            raise
