"""The engine thread: take commands, step, assemble chunks, send one message a step."""

from __future__ import annotations

import queue
import time
import traceback
from collections.abc import Callable

from podium.core.errors import PodiumError, UnsupportedTask
from podium.core.generation import Chunk
from podium.engine.interface import Engine, EngineGauges, EngineSequence, SequenceOutput
from podium.engine.messages import Abort, Compute, FromWorker, Refused, Shutdown, Step
from podium.engine.output import ChoiceAssembler, TextAssembler
from podium.engine.preparation import Command, Prepared
from podium.engine.tokenizer import Tokenizer

IDLE_SECONDS = 1.0
ABORTED_MEMORY = 4096  # aborts that arrived before their request did


class _Running:
    """One request: its choices that still generate, by sequence id."""

    def __init__(self, request_id: int) -> None:
        self.request_id = request_id
        self.choices: dict[int, ChoiceAssembler | TextAssembler] = {}


class Stepper:
    """Drives one engine. ``run`` returns after a ``Shutdown``."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        inbox: queue.SimpleQueue[Command],
        send: Callable[[FromWorker], None],
    ) -> None:
        self.steps = 0
        self.gauges = EngineGauges()
        self._engine = engine
        self._tokenizer = tokenizer
        self._inbox = inbox
        self._send = send
        self._requests: dict[int, _Running] = {}
        self._by_sequence: dict[int, _Running] = {}
        self._aborted_early: dict[int, None] = {}
        self._step_started: float | None = None
        self._closing = False
        self._discarded_tokens = 0

    @property
    def unfinished(self) -> int:
        """Requests that the engine works on."""
        return len(self._requests)

    def busy_seconds(self) -> float:
        """How long the present step runs; 0 when idle."""
        started = self._step_started
        return 0.0 if started is None else time.monotonic() - started

    def run(self) -> None:
        """Serve until ``Shutdown``. An exception of the engine itself ends the process: it is restarted."""
        while not self._closing:
            self._take_commands()
            if self._engine.has_unfinished():
                self._step()
            else:
                self.gauges = self._engine.gauges()

    def _take_commands(self) -> None:
        try:
            if not self._engine.has_unfinished():
                # Not for ever: an engine with processes of its own can die while nobody asks for anything.
                self._handle(self._inbox.get(timeout=IDLE_SECONDS))
            while True:
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            return

    def _handle(self, command: Command) -> None:
        match command:
            case Prepared():
                self._admit(command)
            case Abort(id=request_id):
                self._abort(request_id)
            case Shutdown():
                self._closing = True
            case Compute():
                error = UnsupportedTask("This model generates text; it computes no vectors.", param="model")
                self._send(Refused(id=command.id, code=error.code, message=error.message, param=error.param))

    def _admit(self, prepared: Prepared) -> None:
        if prepared.request_id in self._aborted_early:
            del self._aborted_early[prepared.request_id]
            return
        running = _Running(prepared.request_id)
        self._requests[prepared.request_id] = running
        try:
            for index, sequence in enumerate(prepared.sequences):
                self._start(running, index, sequence, prepared)
        except PodiumError as error:
            self._refuse(running, error.code, error.message, error.param)
        except Exception:  # noqa: BLE001 - boundary: one request in the worker; the engine refused it in its own words
            traceback.print_exc()
            self._refuse(running, "engine_error", "The engine did not accept the request.", None)

    def _start(self, running: _Running, index: int, sequence: EngineSequence, prepared: Prepared) -> None:
        self._engine.submit(sequence)
        if self._engine.facts.text_engine:
            running.choices[sequence.id] = TextAssembler(index)
        else:
            calls = None if prepared.tools is None else prepared.tools.parser()
            goes_on = not self._engine.facts.max_output_tokens
            running.choices[sequence.id] = ChoiceAssembler(
                index, sequence, self._tokenizer, prepared.prompt_text, calls, goes_on=goes_on
            )
        self._by_sequence[sequence.id] = running

    def _refuse(self, running: _Running, code: str, message: str, param: str | None) -> None:
        self._drop(running)
        self._send(Refused(id=running.request_id, code=code, message=message, param=param))

    def _abort(self, request_id: int) -> None:
        running = self._requests.get(request_id)
        if running is not None:
            self._drop(running)
            return
        self._aborted_early[request_id] = None
        if len(self._aborted_early) > ABORTED_MEMORY:
            del self._aborted_early[next(iter(self._aborted_early))]

    def _drop(self, running: _Running) -> None:
        for sequence_id in running.choices:
            self._engine.abort(sequence_id)
            del self._by_sequence[sequence_id]
        running.choices.clear()
        self._requests.pop(running.request_id, None)

    def _step(self) -> None:
        self._step_started = started = time.monotonic()
        outputs = self._engine.step()
        self._step_started = None
        self.steps += 1
        chunks: list[tuple[int, Chunk]] = []
        refused: list[Refused] = []
        for output in outputs:
            self._collect(output, chunks, refused)
        gauges, before = self._engine.gauges(), self.gauges
        self.gauges = gauges
        if chunks or refused or gauges != before:  # engines that poll have many steps with nothing to tell
            self._tell(chunks, refused, time.monotonic() - started)

    def _tell(self, chunks: list[tuple[int, Chunk]], refused: list[Refused], seconds: float) -> None:
        discarded, self._discarded_tokens = self._discarded_tokens, 0
        self._send(
            Step(
                chunks=chunks,
                refused=refused,
                gauges=self.gauges,
                step=self.steps,
                seconds=seconds,
                discarded_tokens=discarded,
            )
        )

    def _collect(self, output: SequenceOutput, chunks: list[tuple[int, Chunk]], refused: list[Refused]) -> None:
        running = self._by_sequence.get(output.sequence_id)
        if running is None:  # aborted while the step ran
            self._discarded_tokens += output.token_count or len(output.token_ids)
            return
        if output.error is not None:
            code, message = output.error
            self._drop_without_engine(running, output.sequence_id)
            refused.append(Refused(id=running.request_id, code=code, message=message))
            return
        choice = running.choices[output.sequence_id]
        chunks.append((running.request_id, choice.add(output)))
        if choice.finished:
            if choice.must_abort:
                self._engine.abort(output.sequence_id)
            self._forget(running, output.sequence_id)

    def _drop_without_engine(self, running: _Running, failed: int) -> None:
        """One choice failed, so the request fails: its other choices leave the engine."""
        self._forget(running, failed)
        self._drop(running)

    def _forget(self, running: _Running, sequence_id: int) -> None:
        del running.choices[sequence_id]
        del self._by_sequence[sequence_id]
        if not running.choices:
            self._requests.pop(running.request_id, None)
