"""``python -m podium.models.fetched``: a mark beside weights that were fetched in full, and waiting for it.

One process fetches for many. A snapshot that is half there looks like a whole one, so the mark is written when all are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_POLL_SECONDS = 2.0
_SAY_SECONDS = 60.0


def main(arguments: Sequence[str]) -> int:
    """Write marks, or wait until one is there; returns 1 when it is not there in time."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, nargs="+", metavar="FILE", help="write a mark for each list of models")
    what.add_argument("--wait", type=Path, metavar="FILE", help="wait for the mark")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long to wait")
    given = parser.parse_args(arguments)
    if given.write is not None:
        for mark in given.write:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        return 0
    return _wait(given.wait, given.seconds)


def _wait(mark: Path, seconds: float) -> int:
    started = said = time.monotonic()
    while not mark.exists():
        now = time.monotonic()
        if now - started > seconds:
            sys.stderr.write(f"error: {mark} is not there after {seconds:g} s; look at the job that fetches weights\n")
            return 1
        if now - said > _SAY_SECONDS:
            sys.stderr.write(f"waiting for the weights: {mark} is not there yet\n")
            said = now
        time.sleep(_POLL_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
