"""A one-shot request's one page: resolve, tokenize, reserve, admit by slices, compute."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from podium.cache.key import ModelIdentity
from podium.config.models import Model
from podium.core.errors import DeadlineExceeded, InvalidRequest
from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.one_shot import (
    MOST_CHARACTERS,
    Input,
    InputIds,
    OneShotRequest,
    OneShotTask,
    PairPrompt,
    Spans,
    Vectors,
    WindowedPrompt,
)
from podium.core.phase import enter
from podium.core.standing import Standing
from podium.engine.admission import AdmissionGate
from podium.engine.handle import EngineHandle
from podium.engine.interface import EngineFacts
from podium.engine.turns import Work
from podium.models.permission import permitted, refuse_other_task
from podium.models.ports import Lease, Quotas
from podium.models.registry import Models


@dataclass(frozen=True)
class Computed:
    """Vectors in the order of the inputs, and who computed them.

    ``inputs`` and ``spans`` (where they were asked for) are the inputs as the model read them. ``identity`` is None
    until the model's files are known by content.
    """

    model: str
    version: str
    facts: EngineFacts
    vectors: Vectors
    prompt_tokens: int
    standings: Sequence[Standing]
    identity: ModelIdentity | None
    inputs: tuple[InputIds, ...] = ()
    spans: tuple[Spans, ...] = ()

    def by_input(self) -> Iterator[Vectors]:
        """The vectors of each input, in their order."""
        end = 0
        for ids in self.inputs:
            begin, end = end, end + self.facts.rows(ids)
            yield self.vectors[begin:end]

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.facts.engine


@dataclass(frozen=True)
class _Asked:
    """One request on its way, with the model that it holds; its inputs as token ids."""

    request: OneShotRequest
    model: str
    handle: EngineHandle
    gate: AdmissionGate
    inputs: tuple[InputIds, ...]
    facts: EngineFacts
    slice_inputs: int
    deadline: float | None

    @property
    def tokens(self) -> int:
        return sum(len(ids.token_ids) for ids in self.inputs)

    def slices(self) -> Iterator[list[int]]:
        """Positions of inputs that are computed together: of similar length, as many as one batch takes."""
        order = sorted(range(len(self.inputs)), key=lambda position: len(self.inputs[position].token_ids))
        for start in range(0, len(order), self.slice_inputs):
            yield order[start : start + self.slice_inputs]


Check = Callable[[Model, EngineFacts], None]
"""Raises when a request asks what the model cannot do."""


def accept(_config: Model, _facts: EngineFacts) -> None:
    """Nothing more is asked than the model's task."""


class OneShots:
    """Turns inputs into vectors."""

    def __init__(self, models: Models, quotas: Quotas, *, default_timeout_seconds: float) -> None:
        self._models = models
        self._quotas = quotas
        self._default_timeout_seconds = default_timeout_seconds

    async def compute(
        self, request: OneShotRequest, *tasks: OneShotTask, check: Check = accept, spans: bool = False
    ) -> Computed:
        """All vectors, or none; ``spans``: and where the tokens stand in the texts.

        Refused before any computing: models that are unknown or not the caller's (``ModelNotFound``) or do none of
        ``tasks`` (``UnsupportedTask``), what ``check`` refuses, inputs that are empty, too long, or too large together,
        used-up quotas (``RateLimited``), full queues (``Overloaded``). Cancelling takes what is not computed yet out of
        the batch, and what was computed is charged.
        """
        _check_size(request)
        seconds = request.timeout_seconds or self._default_timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds if seconds else None
        try:
            async with asyncio.timeout_at(deadline):
                served = await self._models.find_loaded(permitted(self._models, request.caller, request.model))
                with ExitStack() as hold:
                    handle, gate, ready = served.use()
                    hold.callback(served.release)
                    refuse_other_task(self._models, request.caller, ready.facts, *tasks)
                    check(served.config, ready.facts)
                    self._refuse_early(request, served.config.name, gate, ready.facts)
                    read = await handle.tokenize_inputs(request.inputs, param=request.param, spans=spans)
                    most = ready.facts.max_batch_sequences
                    asked = _Asked(request, served.config.name, handle, gate, read.inputs, ready.facts, most, deadline)
                    lease = await self._reserve(asked)
                    vectors = await _compute(asked, lease)
        except TimeoutError as error:
            raise DeadlineExceeded("The request's deadline passed before it was finished.") from error
        return Computed(
            model=served.config.name,
            version=served.config.version,
            facts=ready.facts,
            vectors=vectors,
            prompt_tokens=asked.tokens,
            standings=lease.standings,
            identity=served.identity,
            inputs=read.inputs,
            spans=read.spans,
        )

    async def token_texts(self, request: OneShotRequest, token_ids: Iterable[int]) -> dict[int, str]:
        """The text of each token of the request's model."""
        served = await self._models.find_loaded(permitted(self._models, request.caller, request.model))
        handle, _, _ = served.use()
        ids = tuple(token_ids)
        try:
            tokens = await handle.tokenize(TokensPrompt(ids), add_special_tokens=False)
        finally:
            served.release()
        return dict(zip(ids, tokens.strings, strict=True))

    def _refuse_early(self, request: OneShotRequest, model: str, gate: AdmissionGate, facts: EngineFacts) -> None:
        """What is refused whatever the inputs' tokens are costs no tokenizing: each of them has at least one."""
        at_least = len(request.inputs)
        gate.refuse_if_full(_work(request, min(at_least, facts.max_batch_sequences), at_least, None))
        tokens = at_least if self._quotas.counts_tokens(request.caller, model) else 0
        self._quotas.refuse_used_up(request.caller, model, prompt_tokens=tokens)

    async def _reserve(self, asked: _Asked) -> Lease:
        caller = asked.request.caller
        counted = self._quotas.counts_tokens(caller, asked.model)
        return await self._quotas.reserve(
            caller,
            asked.model,
            request_id=asked.request.id,
            prompt_tokens=asked.tokens if counted else 0,
            output_tokens=0,
        )


def _check_size(request: OneShotRequest) -> None:
    characters = sum(map(_characters, request.inputs))
    if characters > MOST_CHARACTERS:
        raise InvalidRequest(
            f"The inputs come to {characters} characters, a text that several of them share counted for each; at most "
            f"{MOST_CHARACTERS} are allowed. Shorten them, or send fewer at a time.",
            param=request.param,
        )


def _characters(given: Input) -> int:
    match given:
        case TextPrompt(text):
            return len(text)
        case PairPrompt(first, second):
            return len(first) + len(second)
        case WindowedPrompt(question, text):
            return len(question) + len(text)
        case TokensPrompt(token_ids):
            return len(token_ids)


async def _compute(asked: _Asked, lease: Lease) -> Vectors:
    """All vectors; settles the lease with what was computed.

    One slice after the other: a call of two thousand inputs never holds more of the batch than others can have.
    """
    rows: dict[int, Vectors] = {}
    used_tokens = 0
    try:
        for positions in asked.slices():
            inputs = tuple(asked.inputs[position] for position in positions)
            tokens = sum(len(ids.token_ids) for ids in inputs)
            enter("queue")
            permit = await asked.gate.acquire(_work(asked.request, len(inputs), tokens, asked.deadline))
            enter("run")
            computed_tokens = 0
            try:
                vectors = await asked.handle.compute(inputs)
                computed_tokens = tokens
            finally:
                permit.release(computed_tokens)
            used_tokens += tokens
            lease.note(used_tokens, 0)
            ends = itertools.accumulate(asked.facts.rows(ids) for ids in inputs)
            rows.update(zip(positions, np.split(vectors, list(ends)[:-1]), strict=True))
    finally:
        lease.settle(used_tokens, 0)
    return np.concatenate([rows[position] for position in range(len(rows))])


def _work(request: OneShotRequest, permits: int, tokens: int, deadline: float | None) -> Work:
    caller = request.caller
    return Work(
        permits=permits,
        tenant=caller.tenant,
        weight=caller.weight,
        priority_class=caller.priority,
        priority=request.priority,
        tokens=tokens,
        deadline=deadline,
    )
