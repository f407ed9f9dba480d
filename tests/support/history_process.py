"""A writer of a rollout's history that kills itself: ``python -m support.history_process FILE EVENTS NUMBER POINT``.

EVENTS is a JSON file with a list of events. It goes on from what FILE holds, and dies at event NUMBER (from 0):
``before`` writing it, ``between`` insert and commit, or ``after`` it was written.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

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


if __name__ == "__main__":
    written = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=list[Event])
    main(Path(sys.argv[1]), written, int(sys.argv[3]), sys.argv[4])
