"""The one command: ``python -m benchmarks.rollouts``."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.rollouts import cases, end_to_end, exact, simulate
from benchmarks.rollouts.agreement import check_agreement
from benchmarks.rollouts.render import check_page, simulated_raw, write_page
from benchmarks.serving import machine
from benchmarks.serving.raw_file import RawFile

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "benchmarks" / "rollouts.md"
RAW = PAGE.parent / "raw"
RUNS, QUICK_RUNS, FEWER = 50_000, 500, 5
SEED = 20_261_127


def main() -> None:
    """Simulate, write the raw file, the page and its plots."""
    arguments = _arguments()
    if arguments.what == "end_to_end":
        _end_to_end(arguments.runs, arguments.output)
        return
    if arguments.render:
        write_page(arguments.render, PAGE)
        return
    if arguments.check:
        check_page(PAGE)
        return
    check_agreement()
    runs = QUICK_RUNS if arguments.quick else arguments.runs or RUNS
    raw = RawFile(arguments.output or _raw_path(), _header(runs, arguments.seed))
    _simulate(raw, runs, arguments.seed)
    if not arguments.quick:
        write_page(raw.path, PAGE)
    sys.stderr.write(f"raw data: {raw.path}\n")


def _end_to_end(runs: int | None, output: Path | None) -> None:
    """Measure, and write the page anew where the raw file is one of its own."""
    runs = end_to_end.RUNS if runs is None else runs
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    path = output or RAW / f"rollouts-end-to-end-{day}-{machine.commit(REPOSITORY)}.jsonl"
    end_to_end.measure(RawFile(path, end_to_end.header(REPOSITORY, runs)), runs)
    if output is None:
        write_page(simulated_raw(PAGE), PAGE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollouts", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("simulate", "end_to_end"),
        default="simulate",
        help="end_to_end: real processes, about a minute a run; the page gets a section of it",
    )
    parser.add_argument(
        "--runs",
        type=int,
        help=f"simulated: of the rows with equal arms, others a fifth ({RUNS}); end_to_end: ({end_to_end.RUNS})",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_RUNS} runs, raw file only: a check of the harness"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="first seed; every row has its own")
    parser.add_argument(
        "--out", "--output", dest="output", type=Path, help="raw file; none names it by date and commit"
    )
    parser.add_argument("--render", type=Path, metavar="RAW", help="only write page and plots, from this raw file")
    parser.add_argument(
        "--check", action="store_true", help="only check that page and plots are what the raw file gives"
    )
    return parser.parse_args()


def _simulate(raw: RawFile, runs: int, seed: int) -> None:
    fewer = max(100, runs // FEWER)
    raw.add("exact", exact.figures())
    for kind, rows in (("table", cases.TABLE), ("long", cases.LONG), ("share", cases.SHARES)):
        for row in rows:
            seed += 1
            _timed(raw, kind, lambda row=row, seed=seed: simulate.case_record(row, runs if row.many else fewer, seed))
    for promotion in cases.PROMOTIONS:
        seed += 1
        _timed(raw, "promotion", lambda p=promotion, seed=seed: simulate.promotion_record(p, fewer, seed))
    for declared, actual in cases.SPLITS:
        seed += 1
        _timed(raw, "split", lambda d=declared, a=actual, seed=seed: simulate.split_record(d, a, fewer, seed))
    for slowness in cases.SLOWNESSES:
        seed += 1
        _timed(raw, "slowness", lambda s=slowness, seed=seed: simulate.slowness_record(s, fewer, seed))
    for case in (cases.TABLE[0].case, cases.TABLE[4].case):
        seed += 1
        raw.add("paths", simulate.paths_record(case, seed))


def _timed(raw: RawFile, kind: str, work: Any) -> None:
    started = time.perf_counter()
    record = work()
    raw.add(kind, {**record, "seconds": round(time.perf_counter() - started, 2)})


def _header(runs: int, seed: int) -> dict[str, object]:
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.rollouts --runs {runs} --seed {seed}",
        "commit": machine.commit(REPOSITORY),
        "machine": machine.describe(),
        "versions": machine.versions(sys.executable, ("podium", "numpy", "scipy")),
    }


def _raw_path() -> Path:
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    return RAW / f"rollouts-{day}-{machine.commit(REPOSITORY)}.jsonl"


if __name__ == "__main__":
    main()
