"""Kept answers to questions that mean the same, by the vectors of an embedding model of this server."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

import structlog

from podium.cache.entry import Entry
from podium.cache.key import CacheKey, ModelIdentity
from podium.cache.semantic_index import SemanticIndex, Vector
from podium.cache.semantic_question import Question
from podium.config.cache import SemanticCache
from podium.core.errors import PodiumError
from podium.core.generation import GenerationRequest, TextPrompt
from podium.core.identity import Principal
from podium.core.one_shot import OneShotRequest, Vectors
from podium.core.phase import unheard
from podium.engine.pooling import normalized
from podium.models.ports import KeptAnswers

log = structlog.get_logger(__name__)

MOST_LOOKUPS = 3
"""Answers that the store has lost meanwhile cost a look each."""


class Located(NamedTuple):
    """Where a question stands: its partition, for one embedding model, and its vector."""

    partition: bytes
    vector: Vector


class Similar(NamedTuple):
    """A kept answer, and how similar its question is."""

    entry: Entry
    similarity: float


class Embedded(Protocol):
    """Vectors, and what computed them (None: not known by content yet)."""

    @property
    def vectors(self) -> Vectors:
        """One row."""

    @property
    def identity(self) -> ModelIdentity | None:
        """The embedding model by content."""


class Embedder(Protocol):
    """Computes vectors."""

    async def embed(self, request: OneShotRequest) -> Embedded:
        """One vector for each input."""


class SemanticAnswers:
    """Finds answers by meaning. An embedding model that fails, is away or is slow means no answer, never an error.

    The answers themselves are the exact cache's: what that has forgotten is not found here either. The index is
    this process's own.
    """

    def __init__(self, settings: SemanticCache, answers: KeptAnswers, embedder: Embedder) -> None:
        self._settings = settings
        self._answers = answers
        self._embedder = embedder
        self._index = SemanticIndex(max_entries=settings.max_entries)
        self._told: set[str] = set()

    async def locate(self, question: Question, caller: Principal) -> Located | None:
        """Where ``question`` stands, None when the embedding model does not tell in time.

        The computing is the server's: no quota of the caller pays for it, but it waits in its class and its tenant's
        turn.
        """
        request = OneShotRequest(
            id="semantic-cache",
            model=self._settings.model,
            inputs=(TextPrompt(question.text),),
            caller=Principal(
                caller.tenant, "semantic-cache", frozenset({"infer"}), weight=caller.weight, priority=caller.priority
            ),
        )
        try:
            async with asyncio.timeout(self._settings.wait_seconds):
                with unheard():
                    embedded = await self._embedder.embed(request)
        except (PodiumError, TimeoutError) as error:
            self._tell(error)
            return None
        if embedded.identity is None:
            return None
        partition = question.partition + embedded.identity.digest.encode()
        return Located(partition, normalized(embedded.vectors)[0])

    async def find(self, located: Located, request: GenerationRequest) -> Similar | None:
        """The kept answer to the most similar question, if that is similar enough and ``request`` accepts it."""
        for _ in range(MOST_LOOKUPS):
            match = self._index.nearest(*located)
            if match is None or match.similarity < self._settings.threshold:
                return None
            entry = await self._answers.lookup(request, match.key)
            if entry is not None:
                return Similar(entry, match.similarity)
            if request.cache.max_age_seconds is not None:
                return None  # too old for this request, perhaps not for others
            self._index.forget(match.key)
        return None

    def remember(self, located: Located, key: CacheKey, *, ttl_seconds: float) -> None:
        """The answer of ``key`` is kept from now on, for at most ``ttl_seconds``."""
        seconds = min(ttl_seconds, self._settings.ttl_seconds)
        self._index.add(located.partition, located.vector, key, ttl_seconds=seconds)

    def _tell(self, error: PodiumError | TimeoutError) -> None:
        """Say each kind of failure once: it may be the configuration's."""
        code = error.code if isinstance(error, PodiumError) else "timeout"
        if code not in self._told:
            self._told.add(code)
            log.warning("no embedding for the semantic cache", model=self._settings.model, reason=code)
