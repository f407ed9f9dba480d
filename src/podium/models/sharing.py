"""Which answers a request may share: kept ones, and computations that run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from podium.cache.entry import Entry
from podium.cache.key import CacheKey, ModelIdentity, fingerprint, idempotency_key, response_key
from podium.cache.semantic_question import Question, question_of
from podium.config.cache import Cache
from podium.core.errors import IdempotencyInProgress, IdempotencyMismatch
from podium.core.generation import GenerationRequest
from podium.models.computation import Computation, Kept, Provenance
from podium.models.ports import KeptAnswers
from podium.models.running import Running
from podium.models.semantic import Located, SemanticAnswers

RETRY_ELSEWHERE_SECONDS = 1.0


@dataclass(frozen=True)
class Terms:
    """What identifies a request's answer; without any key it is nobody else's.

    ``retry`` is the key of its ``Idempotency-Key``, ``content`` that of what is asked. ``question`` is set where
    the answer to a similar one may stand for it.
    """

    request: GenerationRequest
    retry: CacheKey | None = None
    content: CacheKey | None = None
    fingerprint: bytes = b""
    question: Question | None = None

    @property
    def keys(self) -> tuple[CacheKey, ...]:
        """Those there are."""
        return tuple(key for key in (self.retry, self.content) if key is not None)


@dataclass
class Sharing:
    """Finds the answer that a request may share, and offers those that are computed.

    ``semantic`` None: only answers to the very same question.
    """

    cache: KeptAnswers
    settings: Cache
    running: Running = field(default_factory=Running)
    semantic: SemanticAnswers | None = None
    _located: dict[Computation, Located] = field(default_factory=dict)

    def terms(self, request: GenerationRequest, identity: ModelIdentity | None, default_max_tokens: int) -> Terms:
        """``identity`` None: the model's files are not known by content yet, so only a retry may share.

        A copy that the gateway made shares nothing: it is there to find out what this server computes.
        """
        if request.caller.uncounted:
            return Terms(request)
        retry = None if request.idempotency_key is None else idempotency_key(request)
        content = question = None
        if identity is not None and self.cache.cacheable(request):
            content = response_key(request, identity, default_max_tokens)
            if self.semantic is not None and request.cache.read:
                question = question_of(request, identity, default_max_tokens)
        print_ = fingerprint(request, default_max_tokens) if retry is not None else b""
        return Terms(request, retry, content, print_, question)

    def find_running(self, terms: Terms) -> Computation | None:
        """A computation to join. Raises ``IdempotencyMismatch``.

        For its content only one that runs, or waits in no lower class: a line of a batch may wait for hours.
        """
        if terms.retry is not None and (found := self.running.find(terms.retry)) is not None:
            _check_same(terms, found.fingerprint)
            return found
        if terms.content is not None and terms.request.cache.read:
            found = self.running.find(terms.content)
            return found if found is not None and found.is_due(terms.request.caller.priority) else None
        return None

    async def find_kept(self, terms: Terms, computation: Computation) -> Kept | None:
        """A kept answer, or None and the right to compute it with ``computation``. The very same question goes first.

        Raises ``IdempotencyMismatch``, and ``IdempotencyInProgress`` while another replica computes the answer
        of this idempotency key.
        """
        request = terms.request
        if terms.retry is not None:
            entry = await self.cache.lookup(request, terms.retry)
            if entry is not None:
                _check_same(terms, entry.fingerprint)
                return Kept(entry)
        if terms.content is not None and request.cache.read:
            entry = await self.cache.lookup(request, terms.content)
            if entry is not None:
                return Kept(entry)
            if (similar := await self._find_similar(terms, computation)) is not None:
                return similar
        if terms.retry is not None and not await self.cache.claim(terms.retry):
            raise IdempotencyInProgress(
                "The first request with this Idempotency-Key still runs on another replica. Try again in a moment.",
                retry_after_seconds=RETRY_ELSEWHERE_SECONDS,
            )
        return None

    async def _find_similar(self, terms: Terms, computation: Computation) -> Kept | None:
        if self.semantic is None or terms.question is None:
            return None
        located = await self.semantic.locate(terms.question, terms.request.caller)
        if located is None:
            return None
        similar = await self.semantic.find(located, terms.request)
        if similar is not None:
            return Kept(similar.entry, similar.similarity)
        if not computation.ended:
            self._located[computation] = located
        return None

    def offer(self, terms: Terms, computation: Computation) -> None:
        """Let others join ``computation`` until it ends."""
        computation.fingerprint = terms.fingerprint
        self.running.enter(terms.keys, computation)
        if terms.retry is not None and self.settings.detached_seconds > 0:
            computation.on_detached = lambda left: self.running.keep_going(left, self.settings.detached_seconds)

    def ended(self, terms: Terms, computation: Computation) -> None:
        """Nobody joins any more; a whole answer is kept, anything else gives the next request its turn."""
        self.running.leave(terms.keys, computation)
        located = self._located.pop(computation, None)
        run = computation.run
        if run is None or not computation.complete:
            if terms.retry is not None and computation.kept is None:
                self.cache.release(terms.retry)
            return
        if terms.retry is not None:
            self._keep(terms.retry, terms, computation, run.provenance, self.settings.idempotency_seconds)
        if terms.content is not None and terms.request.cache.write:
            self._keep(terms.content, terms, computation, run.provenance, self.settings.ttl_seconds)
            if located is not None and self.semantic is not None:
                self.semantic.remember(located, terms.content, ttl_seconds=self.settings.ttl_seconds)

    def _keep(
        self, key: CacheKey, terms: Terms, computation: Computation, provenance: Provenance, ttl_seconds: float
    ) -> None:
        entry = Entry(
            digest=key.digest,
            tenant=key.tenant,
            model=provenance.model,
            version=provenance.version,
            engine=provenance.engine,
            created_unix_seconds=time.time(),
            fingerprint=terms.fingerprint if key is terms.retry else b"",
            chunks=tuple(computation.chunks),
        )
        self.cache.keep(key, entry, ttl_seconds=ttl_seconds)


def _check_same(terms: Terms, known: bytes) -> None:
    if terms.fingerprint != known:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used before with another request. Use a new key for a new request.",
            param="Idempotency-Key",
        )
