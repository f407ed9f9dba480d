"""A writer of a rollout's history that kills itself: ``python -m support.history_process FILE EVENTS NUMBER POINT``.

EVENTS is a JSON file with a list of events. It goes on from what FILE holds, and dies at event NUMBER (from 0):
``before`` writing it, ``between`` insert and commit, or ``after`` it was written. With ``interval`` for EVENTS, it dies
the same way at an interval that begins at second NUMBER.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import Samples
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.course import Observed
from podium.rollout.events import Event
from podium.rollout.history import History


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(file: Path, events: list[Event], number: int, point: str) -> None:
    """Write until the end or death."""
    with History(file) as history:
        for at in range(len(history.log), len(events)):
            if at == number and point == "before":
                _die()
            if at == number and point == "between":
                connection = history._connection
                assert connection is not None
                connection.set_trace_callback(lambda statement: _die() if statement == "COMMIT" else None)
            history.append(events[at], actor="test")
            if at == number and point == "after":
                _die()


def keep(file: Path, number: int, point: str) -> None:
    """Keep one interval."""
    counts = {"errors": Stratum(9, 0, 2, 0), "aborted": Stratum(9, 0, 2, 0)}
    samples = {"ttft": Samples((0.1, 0.25), (1 / 3,))}
    counted = Interval(counts, samples, (9, 2))  # type: ignore[arg-type]
    with History(file) as history:
        if point == "before":
            _die()
        if point == "between":
            assert history._connection is not None
            history._connection.set_trace_callback(lambda statement: _die() if statement == "COMMIT" else None)
        history.observe(Observed(rollout=1, units=500, began=number, ended=number + 1, interval=counted, undecided=1))
        _die()


if __name__ == "__main__":
    if sys.argv[2] == "interval":
        keep(Path(sys.argv[1]), int(sys.argv[3]), sys.argv[4])
    written = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=list[Event])
    main(Path(sys.argv[1]), written, int(sys.argv[3]), sys.argv[4])
