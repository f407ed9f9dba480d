"""Every benchmark, one after the other: ``python -m benchmarks`` (``make bench-all``); hours, on a quiet machine.

Each measures into a raw file of its own and writes its page in ``docs/benchmarks/`` where it has one; what a program
needs beside the test tools (a peer's environment, wrk, redis-server, Chromium) it says itself.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import time
from collections.abc import Mapping

from benchmarks.loopback.page import RAW, REPOSITORY
from benchmarks.serving.machine import commit

PAGES = ("serving", "access", "gateway", "observe", "rollouts", "tasks")


def commands() -> Mapping[str, list[str]]:
    """By name: the words after ``python -m benchmarks.``; those that name no file themselves get one."""
    stamp = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{commit(REPOSITORY)}"
    load = {
        f"load-{row}": ["bench", row, "--out", str(RAW / f"load-{row}-{stamp}.jsonl")]
        for row in ("oracle", "capacity", "by-hand")
    }
    statistics = ["load_statistics", "--output", str(RAW / f"load-statistics-{stamp}.json")]
    tuning = ["tuning", "--output", str(REPOSITORY / "benchmarks" / ".cache" / f"tuning-{stamp}")]
    return {**{name: [name] for name in PAGES}, **load, "load-statistics": statistics, "tuning": tuning}


def main() -> int:
    """Run what is asked for; 1 when any of it failed or missed a bar that it judges itself."""
    known = commands()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=known, metavar="NAME", help=f"some of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="a check of the harness, not a measurement")
    arguments = parser.parse_args()
    failed = []
    for name in arguments.only or known:
        words = [*known[name], *(["--quick"] if arguments.quick else [])]
        sys.stderr.write(f"== {name}: python -m benchmarks.{' '.join(words)}\n")
        began = time.monotonic()
        status = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:]], cwd=REPOSITORY, check=False
        ).returncode
        sys.stderr.write(f"== {name}: exit status {status} after {time.monotonic() - began:.0f} s\n")
        failed += [name] if status else []
    if failed:
        sys.stderr.write(f"not well: {', '.join(failed)}\n")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
