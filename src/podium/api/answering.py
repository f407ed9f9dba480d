"""Running generations for one call: start them together, and gather or stream what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request

from podium.api.disconnect import stop_on_disconnect
from podium.api.generations import Dispatcher, Generation
from podium.api.provenance import note_provenance
from podium.api.record import RequestRecord, record_of
from podium.api.standings import joined
from podium.api.tools import Call, collect
from podium.core.errors import EngineError, InvalidRequest, PodiumError, RateLimited
from podium.core.generation import ChatPrompt, Chunk, GenerationRequest, TokenLogprob, Usage
from podium.core.standing import CacheStatus

_COST: tuple[CacheStatus, ...] = ("bypass", "hit", "semantic", "attach", "miss")
_COMPUTED: frozenset[CacheStatus] = frozenset({"miss", "bypass"})
UNFINISHED = "The engine ended the answer without a finish reason."


@dataclass(slots=True)
class Choice:
    """One whole answer."""

    index: int
    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    token_count: int = 0
    calls: list[Call] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of the answer's text."""
        return "".join(self.texts)

    def add(self, chunk: Chunk) -> None:
        """Append a piece."""
        self.texts.append(chunk.text)
        self.token_count += chunk.token_count
        collect(self.calls, chunk.tool_calls)
        if chunk.logprobs is not None:
            self.logprobs = [] if self.logprobs is None else self.logprobs
            self.logprobs += chunk.logprobs
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
            self.stop_reason = chunk.stop_reason


@dataclass(slots=True)
class Whole:
    """Everything that one generation said: its choices in order, the usage, and whether it was a kept answer."""

    model: str
    choices: list[Choice]
    usage: Usage
    cached: bool


async def run(request: Request, dispatcher: Dispatcher, generation_request: GenerationRequest) -> Whole:
    """Generate to the end. A client that hangs up aborts it (ClientDisconnected)."""
    async with stop_on_disconnect(request.receive):
        return await _run(dispatcher, generation_request, record_of(request.scope))


async def run_all(request: Request, dispatcher: Dispatcher, requests: Sequence[GenerationRequest]) -> list[Whole]:
    """Generate all of them together. If one fails the others are aborted and its error is raised."""
    record = record_of(request.scope)
    async with stop_on_disconnect(request.receive):
        with first_error():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_run(dispatcher, one, record), name=one.id) for one in requests]
    return [task.result() for task in tasks]


async def run_each(
    request: Request, dispatcher: Dispatcher, requests: Sequence[GenerationRequest]
) -> list[Whole | PodiumError]:
    """Generate all of them together; each ends with its own answer or its own error."""
    record = record_of(request.scope)
    async with stop_on_disconnect(request.receive), asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run_or_error(dispatcher, one, record), name=one.id) for one in requests]
    return [task.result() for task in tasks]


async def _run_or_error(
    dispatcher: Dispatcher, request: GenerationRequest, record: RequestRecord
) -> Whole | PodiumError:
    try:
        return await _run(dispatcher, request, record)
    except PodiumError as error:
        note_refusal(record, error)
        return error


async def _run(dispatcher: Dispatcher, request: GenerationRequest, record: RequestRecord) -> Whole:
    note_asked(record, request)
    generation = await dispatcher.generate(request)
    note_start(record, generation)
    choices = [Choice(index) for index in range(request.sampling.n)]
    usage = Usage()
    try:
        async with aclosing(generation):
            async for chunk in generation:
                choices[chunk.index].add(chunk)
                usage = usage.add(chunk)
    finally:  # what a failure computed until then was computed
        record.has_text = record.has_text or any(any(choice.texts) for choice in choices)
        note_end(record, generation, usage, choices[0].finish_reason)
    if any(choice.finish_reason is None for choice in choices):
        raise EngineError(UNFINISHED)
    return Whole(generation.model, choices, usage, cached=generation.cache_status in {"hit", "semantic"})


async def start(request: Request, dispatcher: Dispatcher, requests: Sequence[GenerationRequest]) -> list[Generation]:
    """All generations, each with its first chunk there.

    If one fails, or the client hangs up, those that started are aborted and the error is raised.
    """
    note_asked(record_of(request.scope), requests[0])
    async with stop_on_disconnect(request.receive), _closing_on_error() as started:
        with first_error():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_start(dispatcher, one, started), name=one.id) for one in requests]
    return [task.result() for task in tasks]


async def _start(dispatcher: Dispatcher, request: GenerationRequest, started: AsyncExitStack) -> Generation:
    generation = await dispatcher.generate(request)
    started.push_async_callback(generation.aclose)
    return generation


@asynccontextmanager
async def _closing_on_error() -> AsyncIterator[AsyncExitStack]:
    """What is pushed is closed when the body fails, and left alone when it does not."""
    async with AsyncExitStack() as stack:
        yield stack
        stack.pop_all()


@contextmanager
def first_error() -> Iterator[None]:
    """Raises the first error of a task group as itself."""
    try:
        yield
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def note_asked(record: RequestRecord, request: GenerationRequest) -> None:
    """Write into ``record`` what kind of a generation is asked for, and how."""
    record.operation = "chat" if isinstance(request.prompt, ChatPrompt) else "text_completion"
    record.sampling = request.sampling


def note_start(record: RequestRecord, generation: Generation) -> None:
    """Write into ``record`` who answers, from where, and how the caller's quotas stand."""
    if record.begun_at_seconds is None:
        record.begun_at_seconds = record.seconds_so_far()
    note_provenance(record, generation)
    record.cache_status = _worse(record.cache_status, generation.cache_status)
    if generation.age_seconds is not None:
        record.age_seconds = max(record.age_seconds or 0.0, generation.age_seconds)
    if generation.similarity is not None:
        record.similarity = min(1.0 if record.similarity is None else record.similarity, generation.similarity)


def note_refusal(record: RequestRecord, error: PodiumError) -> None:
    """Write into ``record`` how the caller's quotas stand, if that is why ``error`` was raised."""
    if isinstance(error, RateLimited):
        record.standings = joined(record.standings, error.standings)


def _worse(first: CacheStatus | None, second: CacheStatus) -> CacheStatus:
    """The status of two generations together: that of the one which took more."""
    return second if first is None else max(first, second, key=_COST.index)


def note_end(record: RequestRecord, generation: Generation, usage: Usage, finish_reason: str | None) -> None:
    """Write into ``record`` what came of it; several generations of one call add up."""
    record.usage = Usage.total((record.usage, usage))
    if generation.cache_status in _COMPUTED:
        record.computed = Usage.total((record.computed, usage))
    record.finish_reason = record.finish_reason or finish_reason
    record.generated_at_seconds = record.seconds_so_far()


def check_prompt_count(count: int, most: int, param: str) -> None:
    """Raises InvalidRequest for more prompts than one call may hold."""
    if count > most:
        raise InvalidRequest(f"`{param}` must hold at most {most} prompts.", param=param)
