"""A loaded model's engine as the rest of the server sees it: requests in, chunks out, always an end.

The handle owns the worker process and the table of requests in flight. When the worker ends, freezes
or stalls, every request that has begun gets an error at once, the others are submitted again to the
next worker, and that one is started with back-off.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import structlog

from podium.aio import tasks
from podium.aio.backoff import Backoff
from podium.core.errors import (
    EngineCrashed,
    EngineStalled,
    ModelLoadError,
    ModelNotReady,
    PodiumError,
    all_errors,
)
from podium.core.generation import Prompt, SamplingParams
from podium.core.one_shot import Input, InputIds, Vectors
from podium.engine.flight import Answer, Call, Flight
from podium.engine.interface import EngineGauges
from podium.engine.messages import (
    Abort,
    Compute,
    Computed,
    Detokenize,
    Failed,
    FromWorker,
    Heartbeat,
    InputTokens,
    Load,
    Progress,
    Ready,
    Refused,
    Shutdown,
    Step,
    Submit,
    Text,
    Tokenize,
    TokenizeInputs,
    Tokens,
)
from podium.engine.process import WorkerCommand, WorkerProcess
from podium.engine.token_flow import TokenFlow
from podium.telemetry.distribution import Distribution
from podium.telemetry.table import PER_TOKEN_BUCKETS

log = structlog.get_logger(__name__)

EngineState = Literal["starting", "ready", "restarting", "closed"]

MISSED_HEARTBEATS = 6
# A request that was in flight when two workers died is more likely the cause than the victim.
MOST_ATTEMPTS = 2
COMPUTING_SHARE = 0.1
RESTART_FIRST_SECONDS = 0.1
RESTART_MOST_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


@dataclass
class EngineCounters:
    """What happened so far, over all workers that shared it. ``gaps``: seconds between pieces of one answer."""

    steps: int = 0
    step_seconds: float = 0.0
    restarts: int = 0
    tokens: TokenFlow = field(default_factory=TokenFlow)
    gaps: Distribution = field(default_factory=lambda: Distribution(PER_TOKEN_BUCKETS))


class EngineHandle:
    """Owns one model's worker. ``start`` returns when it is ready; ``close`` when it is gone.

    It goes on counting in ``counters``, which outlive it.
    """

    def __init__(
        self,
        command: WorkerCommand,
        load: Load,
        *,
        stall_seconds: float,
        load_seconds: float,
        report: Callable[[str, float], None],
        counters: EngineCounters | None = None,
    ) -> None:
        self.ready: Ready | None = None
        self.state: EngineState = "starting"
        self.gauges = EngineGauges()
        self.rss_bytes = 0
        self.counters = counters or EngineCounters()
        self._command = command
        self._load = load
        self._stall_seconds = stall_seconds
        self._load_seconds = load_seconds
        self._report = report
        self._ids = itertools.count(1)
        self._flights: dict[int, Flight] = {}
        self._process: WorkerProcess | None = None
        self._loaded: asyncio.Future[Ready] | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._loss: PodiumError = EngineCrashed("The engine's process ended.")
        self._missed = 0
        self._busy_seconds = 0.0
        self._failed_restarts = 0
        self._cpu_seconds = 0.0

    @property
    def in_flight(self) -> int:
        """Requests without an end yet."""
        return len(self._flights)

    @property
    def stalled_seconds(self) -> float:
        """How long the engine has made no progress while it had work; 0 when all is well."""
        return max(self._busy_seconds, self._missed * self._load.heartbeat_seconds if self._missed > 1 else 0.0)

    async def start(self) -> Ready:
        """Start the worker and load the model. Raises a ``ModelLoadError``; then nothing is left running.

        On cancellation the worker is killed.
        """
        try:
            ready = await self._start_worker()
        except BaseException:
            await self._end_worker(seconds=0.0)
            self.state = "closed"
            raise
        self.state = "ready"
        self._supervision = tasks.start(self._supervise(), name=f"supervise {self._command.name}")
        return ready

    async def close(self) -> None:
        """End the worker; requests still in flight get an error. The memory is free afterwards."""
        self.state = "closed"
        await tasks.stop(self._supervision)
        self._supervision = None
        for flight in list(self._flights.values()):
            flight.fail(ModelNotReady("The model was unloaded."))
        self._flights.clear()
        await self._end_worker(seconds=5.0)

    def submit(self, prompt: Prompt, sampling: SamplingParams, default_max_tokens: int) -> Flight:
        """Start a generation. Raises ``ModelNotReady`` when the worker keeps failing."""
        message = Submit(id=next(self._ids), prompt=prompt, sampling=sampling, default_max_tokens=default_max_tokens)
        return self._launch(Flight(message, choices=sampling.n, on_end=self._end_flight, flow=self.counters.tokens))

    async def tokenize(self, prompt: Prompt, *, add_special_tokens: bool, strings: bool = True) -> Tokens:
        """Tokenize in the worker; ``strings``: with the text of each token."""
        message = Tokenize(id=next(self._ids), prompt=prompt, add_special_tokens=add_special_tokens, strings=strings)
        answer = await self._call(message)
        assert isinstance(answer, Tokens)  # noqa: S101 - this is a bug: the worker answers in kind
        return answer

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Detokenize in the worker."""
        answer = await self._call(Detokenize(id=next(self._ids), token_ids=token_ids))
        assert isinstance(answer, Text)  # noqa: S101 - this is a bug: the worker answers in kind
        return answer.text

    async def tokenize_inputs(
        self, inputs: tuple[Input, ...], *, param: str = "input", spans: bool = False
    ) -> InputTokens:
        """Token ids of each input of a one-shot request. Raises what the worker refuses, in terms of ``param``."""
        answer = await self._call(TokenizeInputs(id=next(self._ids), inputs=inputs, param=param, spans=spans))
        assert isinstance(answer, InputTokens)  # noqa: S101 - this is a bug: the worker answers in kind
        return answer

    async def compute(self, inputs: tuple[InputIds, ...]) -> Vectors:
        """The vectors of each input, which are not empty and within the context. Cancelling aborts it."""
        answer = await self._call(Compute(id=next(self._ids), inputs=inputs))
        assert isinstance(answer, Computed)  # noqa: S101 - this is a bug: the worker answers in kind
        assert self.ready is not None  # noqa: S101 - this is a bug: it has computed
        vectors: Vectors = np.frombuffer(answer.vectors, dtype="<f4").reshape(-1, self.ready.facts.dimensions)
        return vectors

    # flights

    def _launch(self, flight: Flight) -> Flight:
        if self.state == "closed" or (self.state == "restarting" and self._failed_restarts > 1):
            raise ModelNotReady("The model's engine is restarting.", retry_after_seconds=RESTART_MOST_SECONDS)
        if self.state == "ready" and self._process is not None:
            flight.attempts += 1
            self._process.send(flight.message)
        self._flights[flight.id] = flight  # only now: what cannot be sent raises, and must not be sent again
        return flight

    async def _call(self, message: Call) -> Answer:
        flight = self._launch(Flight(message, choices=0, on_end=self._end_flight, flow=self.counters.tokens))
        try:
            return await flight.answer()
        finally:
            flight.close()

    def _end_flight(self, flight: Flight) -> None:
        """The flight is over on our side; tell the worker unless it said so itself."""
        if self._flights.pop(flight.id, None) is not None and self._process is not None:
            self._process.send(Abort(id=flight.id))

    # messages

    def _receive(self, message: FromWorker) -> None:
        self._missed = 0
        match message:
            case Step():
                self._receive_step(message)
            case Heartbeat():
                self.rss_bytes = message.rss_bytes
                self.gauges = message.gauges
                self._busy_seconds = message.busy_seconds if message.unfinished else 0.0
                if self._busy_seconds > self._stall_seconds:
                    self._lose(
                        EngineStalled(f"The engine made no step for {self._stall_seconds:g} s and was restarted.")
                    )
            case Refused():
                self._refuse(message)
            case Tokens() | Text() | InputTokens():
                self._answer(message)
            case Progress(stage=stage, ratio=ratio):
                self._report(stage, ratio)
            case Ready():
                self._settle_load(message)
            case Failed(code=code, message=text):
                self._settle_load(_error(code, text, None))

    def _receive_step(self, step: Step) -> None:
        self.gauges = step.gauges
        self.counters.steps += 1
        self.counters.step_seconds += step.seconds
        self._busy_seconds = 0.0
        flights, tokens, gaps = self._flights, self.counters.tokens, self.counters.gaps
        now = time.monotonic()
        tokens.sampled += step.discarded_tokens
        tokens.discarded += step.discarded_tokens
        for request_id, chunk in step.chunks:
            tokens.sampled += chunk.token_count
            flight = flights.get(request_id)
            if flight is None:  # its reader has left
                tokens.discarded += chunk.token_count
                continue
            if (gap := flight.seconds_since(chunk, now)) is not None:
                gaps.observe(gap)
            if flight.put(chunk):
                del flights[request_id]
        for refused in step.refused:
            self._refuse(refused)
        for computed in step.computed:
            self._answer(computed)

    def _answer(self, answer: Answer) -> None:
        flight = self._flights.pop(answer.id, None)
        if flight is not None:
            flight.put_answer(answer)

    def _refuse(self, refused: Refused) -> None:
        flight = self._flights.pop(refused.id, None)
        if flight is not None:
            flight.fail(_error(refused.code, refused.message, refused.param))

    def _settle_load(self, outcome: Ready | PodiumError) -> None:
        if self._loaded is None or self._loaded.done():
            return
        if isinstance(outcome, Ready):
            self._loaded.set_result(outcome)
        else:
            self._loaded.set_exception(outcome)

    # the worker's life

    async def _start_worker(self) -> Ready:
        self._lost = asyncio.Event()
        self._loaded = asyncio.get_running_loop().create_future()
        self._process = WorkerProcess(self._command, self._receive, self._exited)
        await self._process.start()
        self._process.send(self._load)
        try:
            async with asyncio.timeout(self._load_seconds):
                self.ready = await self._loaded
        except TimeoutError as error:
            raise ModelLoadError(f"Loading took longer than {self._load_seconds:g} s (server.load_seconds).") from error
        self._missed = 0
        self._busy_seconds = 0.0
        return self.ready

    async def _end_worker(self, *, seconds: float) -> None:
        process, self._process = self._process, None
        if process is not None and process.pid is not None:
            process.send(Shutdown())
            await process.wait_exit(seconds)

    def _exited(self, status: int) -> None:
        reason = f"signal {-status}" if status < 0 else f"status {status}"
        if self.state != "closed":
            log.warning("worker exited", worker=self._command.name, reason=reason)
        self._settle_load(ModelLoadError(f"The worker ended while loading ({reason}); its last output is in the log."))
        self._lose(EngineCrashed(f"The engine's process ended ({reason}) and is being restarted."))

    def _lose(self, error: PodiumError) -> None:
        """The worker is of no use any more: end what had begun, now."""
        if self._lost.is_set() or self.state == "closed":
            return
        self._loss = error
        self._lost.set()
        if self._process is not None:
            self._process.kill()
        for flight in list(self._flights.values()):
            if flight.begun or flight.attempts >= MOST_ATTEMPTS:
                del self._flights[flight.id]
                flight.fail(error)

    async def _supervise(self) -> None:
        """Watch for silence and loss; restart for as long as the handle is open."""
        backoff = Backoff(RESTART_FIRST_SECONDS, RESTART_MOST_SECONDS)
        while True:
            started = time.monotonic()
            await self._until_lost()
            self.state = "restarting"
            self.counters.restarts += 1
            log.error("worker lost", worker=self._command.name, error=self._loss.code, message=self._loss.message)
            if time.monotonic() - started > HEALTHY_SECONDS:
                backoff.reset()
            await self._restart(backoff)

    async def _until_lost(self) -> None:
        """Count intervals without a message, not seconds.

        After a pause of this process (a stopped container, a suspended machine) the clock has run on, but
        no heartbeat has been missed. A silent worker that uses the processor is not frozen: some engine
        libraries keep Python's lock for a whole step, and a step of a large model is long.
        """
        interval = self._load.heartbeat_seconds
        while not self._lost.is_set():
            self._missed += 1
            try:
                async with asyncio.timeout(interval):
                    await self._lost.wait()
            except TimeoutError:
                computing = self._is_computing(interval)
                silent = self._missed * interval
                if self._missed > MISSED_HEARTBEATS and not (computing and silent < self._stall_seconds):
                    self._lose(EngineStalled(f"The engine's process was silent for {silent:g} s and was restarted."))

    def _is_computing(self, interval: float) -> bool:
        """Whether the worker has used the processor since the last call, an interval ago."""
        before, self._cpu_seconds = self._cpu_seconds, self._process.cpu_seconds() if self._process else 0.0
        return self._cpu_seconds - before > COMPUTING_SHARE * interval

    async def _restart(self, backoff: Backoff) -> None:
        while True:
            await self._end_worker(seconds=0.0)
            await asyncio.sleep(backoff.next_seconds())
            self._failed_restarts = backoff.failures
            try:
                await self._start_worker()
            except PodiumError as error:
                log.error("worker restart failed", worker=self._command.name, error=error.message)  # noqa: TRY400 - ours
                self._fail_waiting(error)
                continue
            self.state = "ready"
            self._failed_restarts = 0
            self._resubmit()
            return

    def _resubmit(self) -> None:
        assert self._process is not None  # noqa: S101 - this is a bug: called right after a start
        for flight in self._flights.values():
            flight.attempts += 1
            self._process.send(flight.message)

    def _fail_waiting(self, cause: PodiumError) -> None:
        for flight in list(self._flights.values()):
            flight.fail(EngineCrashed(f"The engine could not be restarted: {cause.message}"))
        self._flights.clear()


_ERRORS = all_errors()


def _error(code: str, message: str, param: str | None) -> PodiumError:
    """The error that a worker named by its code."""
    return _ERRORS.get(code, PodiumError)(message, param=param)
