"""A request's one page: resolve, share or reserve, admit, generate."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass

from podium.core.errors import DeadlineExceeded
from podium.core.generation import ChatPrompt, GenerationRequest, Prompt
from podium.core.identity import Principal
from podium.core.one_shot import WRITING, Task
from podium.core.phase import enter
from podium.core.standing import CacheStatus
from podium.engine.admission import AdmissionGate
from podium.engine.handle import EngineHandle
from podium.engine.messages import Ready, TokenizerFacts
from podium.engine.turns import Work
from podium.models.computation import Computation, Kept, Provenance, Replay, Run
from podium.models.generation import Generation, Served
from podium.models.permission import permitted, refuse_other_task
from podium.models.ports import Lease, Quotas
from podium.models.registry import Models
from podium.models.served import ServedModel, refuse_unsupported
from podium.models.sharing import Sharing, Terms
from podium.models.worst_case import WorstCase, bound, estimate


@dataclass(frozen=True)
class Tokenized:
    """Token ids, their texts, and the model's context length."""

    token_ids: tuple[int, ...]
    strings: tuple[str, ...]
    max_model_len: int


@dataclass(frozen=True)
class _Asked:
    """One request on its way, with the model that it holds."""

    request: GenerationRequest
    served: ServedModel
    handle: EngineHandle
    gate: AdmissionGate
    ready: Ready
    default_max_tokens: int
    deadline: float | None

    @property
    def model(self) -> str:
        return self.served.config.name


class Dispatcher:
    """Turns requests into generations. ``default_max_tokens`` applies where a request names none."""

    def __init__(
        self,
        models: Models,
        quotas: Quotas,
        sharing: Sharing,
        *,
        default_max_tokens: int,
        default_timeout_seconds: float,
    ) -> None:
        self._models = models
        self._quotas = quotas
        self._sharing = sharing
        self._default_max_tokens = default_max_tokens
        self._default_timeout_seconds = default_timeout_seconds

    async def generate(self, request: GenerationRequest) -> Generation:
        """The generation, once its first chunk is there.

        Refused before any computing: models that are unknown or not the caller's (``ModelNotFound``),
        parameters that the engine cannot honour (``UnsupportedParameter``), used-up quotas (``RateLimited``),
        full queues and deadlines out of reach (``Overloaded``). An error before the first chunk is raised
        here, a later one by the generation. Cancelling aborts the sequence, unless others read it too.
        """
        deadline = self._deadline(request)
        try:
            async with asyncio.timeout_at(deadline):
                served = await self._models.find_loaded(permitted(self._models, request.caller, request.model))
                generation = await self._answer(self._ask(request, served, deadline))
        except TimeoutError as error:
            raise DeadlineExceeded("The request's deadline passed before it could start.") from error
        await generation.wait_first()
        if not request.caller.uncounted:
            self._sharing.cache.count(generation.model, generation.cache_status)
        return generation

    async def tokenize(
        self, caller: Principal, model: str, prompt: Prompt, *, add_special_tokens: bool = True
    ) -> Tokenized:
        """Tokenize as ``generate`` would."""
        served = await self._models.find_loaded(permitted(self._models, caller, model))
        handle, _, ready = served.use()
        try:
            tokens = await handle.tokenize(prompt, add_special_tokens=add_special_tokens)
        finally:
            served.release()
        return Tokenized(tokens.token_ids, tokens.strings, ready.facts.max_model_len)

    async def detokenize(self, caller: Principal, model: str, token_ids: tuple[int, ...]) -> str:
        """Text of token ids, special tokens left out."""
        served = await self._models.find_loaded(permitted(self._models, caller, model))
        handle, _, _ = served.use()
        try:
            return await handle.detokenize(token_ids)
        finally:
            served.release()

    def tokenizer_facts(self, caller: Principal, model: str) -> TokenizerFacts:
        """What callers may know of a loaded model's tokenizer. Raises ``ModelNotReady``."""
        served = self._models.find(permitted(self._models, caller, model))
        _, _, ready = served.use()
        served.release()
        return ready.tokenizer

    def _ask(self, request: GenerationRequest, served: ServedModel, deadline: float | None) -> _Asked:
        handle, gate, ready = served.use()
        # A conversation's answer may fill the context; a bare completion has no natural end.
        default_max_tokens = 0 if isinstance(request.prompt, ChatPrompt) else self._default_max_tokens
        return _Asked(request, served, handle, gate, ready, default_max_tokens, deadline)

    async def _answer(self, asked: _Asked) -> Generation:
        """Join a computation of the same answer, else lead: one may follow the other, for a leader may fail."""
        with ExitStack() as hold:
            hold.callback(asked.served.release)
            wanted: tuple[Task, ...] = ("generate",) if isinstance(asked.request.prompt, ChatPrompt) else WRITING
            refuse_other_task(self._models, asked.request.caller, asked.ready.facts, *wanted)
            refuse_unsupported(asked.request.sampling, asked.ready.facts.unsupported, asked.ready.facts.engine)
            terms = self._sharing.terms(asked.request, asked.served.identity, asked.default_max_tokens)
            while (computation := self._sharing.find_running(terms)) is not None:
                if (joined := await self._join(asked, computation)) is not None:
                    return joined
            return await self._lead(asked, terms, hold)

    async def _join(self, asked: _Asked, computation: Computation) -> Generation | None:
        """Read what somebody else leads; None when that one never begins."""
        with ExitStack() as leaving:
            reader = computation.reader()
            leaving.callback(reader.close)
            await computation.decided()
            if computation.kept is not None:
                return await self._replay(asked, computation.kept)
            if computation.run is None:
                return None
            lease = await self._reserve_hit(asked)
            leaving.pop_all()
        served = Served(computation.run.provenance, "attach", lease.standings)
        return Generation(asked.request.id, reader, served, deadline=asked.deadline)

    async def _lead(self, asked: _Asked, terms: Terms, hold: ExitStack) -> Generation:
        """Answer from what is kept, or compute, and let others join."""
        computation = Computation(
            choices=asked.request.sampling.n,
            log=bool(terms.keys),
            on_end=lambda ended: self._sharing.ended(terms, ended),
            priority_class=asked.request.caller.priority,
        )
        self._sharing.offer(terms, computation)
        try:
            if (kept := await self._sharing.find_kept(terms, computation)) is not None:
                computation.take_kept(kept)
                return await self._replay(asked, kept)
            run = await self._start(asked, hold)
        except BaseException:
            computation.stop()
            raise
        computation.begin(run)
        status: CacheStatus = "miss" if terms.content is not None and terms.request.cache.read else "bypass"
        served = Served(run.provenance, status, run.lease.standings)
        return Generation(asked.request.id, computation.reader(), served, deadline=asked.deadline)

    async def _replay(self, asked: _Asked, kept: Kept) -> Generation:
        entry = kept.entry
        lease = await self._reserve_hit(asked)
        provenance = Provenance(entry.model, entry.version, entry.engine, int(entry.created_unix_seconds))
        age = max(0.0, time.time() - entry.created_unix_seconds)
        status: CacheStatus = "hit" if kept.similarity is None else "semantic"
        served = Served(provenance, status, lease.standings, age, kept.similarity)
        return Generation(asked.request.id, Replay(entry.chunks), served, deadline=asked.deadline)

    async def _reserve_hit(self, asked: _Asked) -> Lease:
        lease = await self._quotas.reserve_hit(asked.request.caller, asked.model, request_id=asked.request.id)
        lease.settle(0, 0)
        return lease

    async def _start(self, asked: _Asked, hold: ExitStack) -> Run:
        """Reserve, wait for a place in the batch, submit. What fails on the way gives everything back."""
        request = asked.request
        with ExitStack() as undo:
            lease, worst = await self._reserve(asked)
            undo.callback(lease.settle, 0, 0)
            enter("queue")
            permit = await asked.gate.acquire(_work(asked, worst))
            enter("run")
            undo.callback(permit.release, 0)
            flight = asked.handle.submit(worst.prompt, request.sampling, asked.default_max_tokens)
            undo.pop_all()
        config = asked.served.config
        provenance = Provenance(config.name, config.version, asked.ready.facts.engine, int(time.time()))
        return Run(provenance, flight, permit, lease, release_model=hold.pop_all().close)

    async def _reserve(self, asked: _Asked) -> tuple[Lease, WorstCase]:
        """Tokens are counted only where a quota counts them: that asks the worker once more."""
        request, facts, limit = asked.request, asked.ready.facts, asked.default_max_tokens
        counted = self._quotas.counts_tokens(request.caller, asked.model)
        if counted:
            self._quotas.refuse_used_up(request.caller, asked.model, prompt_tokens=1)
            worst = await bound(asked.handle, request.prompt, request.sampling, facts, limit)
        else:
            worst = estimate(request.prompt, request.sampling, facts, limit)
        lease = await self._quotas.reserve(
            request.caller,
            asked.model,
            request_id=request.id,
            prompt_tokens=worst.prompt_tokens if counted else 0,
            output_tokens=worst.output_tokens if counted else 0,
        )
        return lease, worst

    def _deadline(self, request: GenerationRequest) -> float | None:
        seconds = request.timeout_seconds or self._default_timeout_seconds
        return asyncio.get_running_loop().time() + seconds if seconds else None


def _work(asked: _Asked, worst: WorstCase) -> Work:
    caller = asked.request.caller
    return Work(
        permits=asked.request.sampling.n,
        tenant=caller.tenant,
        weight=caller.weight,
        priority_class=caller.priority,
        priority=asked.request.priority,
        tokens=worst.prompt_tokens + worst.output_tokens,
        deadline=asked.deadline,
    )
