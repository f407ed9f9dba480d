"""The engine thread of a one-shot model: take commands, fill a batch, compute it, send what is whole."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from podium.core.errors import EngineError, PodiumError, UnsupportedTask
from podium.core.one_shot import Vectors
from podium.engine.input_queue import InputQueue, WaitingInput
from podium.engine.interface import EngineGauges
from podium.engine.messages import Abort, Compute, Computed, FromWorker, Refused, Shutdown, Step
from podium.engine.one_shot import BatchLimits, OneShotEngine
from podium.engine.preparation import Command, Prepared

IDLE_SECONDS = 1.0


class _Rows:
    """The answer of one request as it fills: the vectors of each of its inputs."""

    def __init__(self, inputs: int) -> None:
        self.vectors: list[Vectors] = [_NONE] * inputs
        self.missing = inputs

    def whole(self) -> bytes:
        return b"".join(rows.astype("<f4", copy=False).tobytes() for rows in self.vectors)


_NONE: Vectors = np.empty((0, 0), dtype="<f4")


class Batcher:
    """Drives one engine. ``run`` returns after a ``Shutdown``.

    A batch may hold inputs of several requests, and a request's inputs may be spread over several batches; it
    is answered when its last one is computed. An abandoned request leaves the queue; what of it is being
    computed is thrown away.
    """

    def __init__(
        self,
        engine: OneShotEngine,
        limits: BatchLimits,
        inbox: queue.SimpleQueue[Command],
        send: Callable[[FromWorker], None],
    ) -> None:
        self.steps = 0
        self.gauges = EngineGauges()
        self._engine = engine
        self._inbox = inbox
        self._send = send
        self._queue = InputQueue(limits, padding_tokens=engine.facts.padding_tokens)
        self._requests: dict[int, _Rows] = {}
        self._step_started: float | None = None
        self._closing = False

    @property
    def unfinished(self) -> int:
        """Requests without an answer yet."""
        return len(self._requests)

    def busy_seconds(self) -> float:
        """How long the present batch is being computed; 0 when idle."""
        started = self._step_started
        return 0.0 if started is None else time.monotonic() - started

    def run(self) -> None:
        """Serve until ``Shutdown``. An exception of the engine itself ends the process: it is restarted."""
        while not self._closing:
            self._take_commands()
            if self._queue.due_seconds() == 0.0:
                self._step(self._queue.take())

    def _take_commands(self) -> None:
        due = self._queue.due_seconds()
        try:
            if due != 0.0:
                self._handle(self._inbox.get(timeout=IDLE_SECONDS if due is None else due))
            while True:
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            return

    def _handle(self, command: Command) -> None:
        match command:
            case Compute(id=request_id, inputs=inputs):
                self._requests[request_id] = _Rows(len(inputs))
                self._queue.add(request_id, inputs)
            case Abort(id=request_id):
                self._forget(request_id)
            case Shutdown():
                self._closing = True
            case Prepared():
                error = UnsupportedTask("This model computes vectors; it does not generate text.", param="model")
                self._send(Refused(id=command.request_id, code=error.code, message=error.message, param=error.param))

    def _forget(self, request_id: int) -> None:
        self._requests.pop(request_id, None)
        self._queue.drop(request_id)

    def _step(self, batch: list[WaitingInput]) -> None:
        self._step_started = started = time.monotonic()
        computed: list[Computed] = []
        refused: list[Refused] = []
        for part, outcome in self._compute(batch):
            if isinstance(outcome, PodiumError):
                refused += self._refuse({waiting.request_id for waiting in part}, outcome)
            else:
                self._collect(part, outcome, computed, refused)
        self._step_started = None
        self.steps += 1
        self.gauges = EngineGauges(running=0, waiting=len(self._queue))
        self._send(
            Step(
                chunks=[],
                refused=refused,
                computed=computed,
                gauges=self.gauges,
                step=self.steps,
                seconds=time.monotonic() - started,
            )
        )

    def _compute(self, batch: list[WaitingInput]) -> Iterable[tuple[list[WaitingInput], Vectors | PodiumError]]:
        """The batch with its vectors; when it fails, each of its requests by itself, so that only one pays."""
        try:
            return [(batch, self._vectors(batch))]
        except EngineError as error:
            parts: dict[int, list[WaitingInput]] = {}
            for waiting in batch:
                parts.setdefault(waiting.request_id, []).append(waiting)
            if len(parts) == 1:
                return [(batch, error)]
        return [one for part in parts.values() for one in self._compute(part)]

    def _vectors(self, batch: Sequence[WaitingInput]) -> Vectors:
        return self._engine.compute([waiting.ids for waiting in batch])

    def _collect(
        self, batch: list[WaitingInput], vectors: Vectors, computed: list[Computed], refused: list[Refused]
    ) -> None:
        facts, end = self._engine.facts, 0
        for waiting in batch:
            begin, end = end, end + facts.rows(waiting.ids)
            row = vectors[begin:end]
            rows = self._requests.get(waiting.request_id)
            if rows is None:
                continue  # aborted, or refused for another input
            if not np.isfinite(row).all():
                error = EngineError("The model produced values that are not numbers; serve it at precision f32.")
                refused += self._refuse({waiting.request_id}, error)
                continue
            rows.vectors[waiting.position] = row
            rows.missing -= 1
            if not rows.missing:
                del self._requests[waiting.request_id]
                computed.append(Computed(id=waiting.request_id, vectors=rows.whole()))

    def _refuse(self, request_ids: Iterable[int], error: PodiumError) -> list[Refused]:
        """Refusals of those that still wait; the rest of their inputs leaves the queue."""
        present = [request_id for request_id in request_ids if request_id in self._requests]
        for request_id in present:
            self._forget(request_id)
        return [Refused(id=request_id, code=error.code, message=error.message) for request_id in present]
