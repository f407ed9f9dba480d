"""What is known while a run goes on: from stamps alone, nothing is parsed for it."""

from __future__ import annotations

import msgspec

from podium.bench.exchange import Exchange
from podium.bench.sampling import Sample

MOST_SAMPLES = 400  # of each kind and report; more would cost time on the hot path


class Tick(msgspec.Struct, kw_only=True):
    """One worker's part of the last interval. Durations in seconds."""

    worker: int
    begun: int = 0  # since the start
    ended: int = 0
    failed: int = 0  # as far as status and transport tell; errors inside a stream are found after the run
    in_flight: int = 0
    first_bytes: list[float] = []  # from scheduled to the first byte of the body
    e2es: list[float] = []
    delays: list[float] = []


class Meter:
    """Collects exchanges into ticks."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._tick = Tick(worker=worker)

    def add(self, exchange: Exchange, start: float) -> None:
        """An exchange that has ended."""
        tick = self._tick
        tick.ended += 1
        status = exchange.status
        bad = exchange.failure is not None or status is None or not 200 <= status < 300
        tick.failed += bad and not exchange.unfinished
        if len(tick.delays) >= MOST_SAMPLES or exchange.begun_at is None:
            return
        planned = start + exchange.scheduled_at
        tick.delays.append(exchange.begun_at - planned)
        if not bad and exchange.pieces:
            tick.first_bytes.append(exchange.pieces[0][0] - planned)
        if not bad and exchange.ended_at is not None:
            tick.e2es.append(exchange.ended_at - planned)

    def take(self, begun: int, in_flight: int) -> Tick:
        """The report; samples start anew, counts go on."""
        tick = self._tick
        tick.begun, tick.in_flight = begun, in_flight
        self._tick = Tick(worker=self._worker, ended=tick.ended, failed=tick.failed)
        return tick


class Progress(msgspec.Struct, kw_only=True):
    """All workers together, at one moment of the run."""

    seconds: float  # since the start
    of_seconds: float
    warming_up: bool
    asked: int = 0  # planned until now; 0 for a closed loop
    begun: int = 0
    ended: int = 0
    failed: int = 0
    in_flight: int = 0
    begun_per_second: float = 0.0  # over the last seconds
    ended_per_second: float = 0.0
    first_bytes: list[float] = []  # recent samples
    e2es: list[float] = []
    delays: list[float] = []
    samples: list[Sample] = []  # what host and server said last: two of them, where there are
