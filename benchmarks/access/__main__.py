"""The access benchmark's one command: ``python -m benchmarks.access`` (``make bench-access``)."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.access import (
    hits,
    identical,
    key_property,
    overhead,
    paused_redis,
    quotas,
    revocation,
    tenants,
)
from benchmarks.access.render import PAGE, RAW, write_page
from benchmarks.access.surroundings import Surroundings
from benchmarks.serving import machine
from benchmarks.serving.raw_file import RawFile
from podium.config.sources import read_environment

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = REPOSITORY / "benchmarks" / ".cache" / "access"
ROWS: dict[str, Callable[[Surroundings], None]] = {
    module.ROW: module.measure
    for module in (quotas, revocation, tenants, hits, overhead, identical, paused_redis, key_property)
}
_PATHS = re.compile(r"(--(?:out|litellm-python))[ =]\S+")
"""Options whose values say where things lie on one machine, which is nothing for a page."""

PACKAGES = ("podium", "uvicorn", "uvloop", "httptools", "hypothesis")


def main() -> None:
    """Measure, add to the raw file, write the page from it."""
    arguments = _arguments()
    path: Path = (arguments.out or _raw_path()).resolve()
    raw = RawFile(path, _header(), keep=path.exists())
    around = _surroundings(arguments, raw)
    failed = [row for row in arguments.only or ROWS if not _measured(row, around)]
    if path.parent == RAW:
        write_page(path, PAGE)
    sys.stderr.write(f"raw data: {path}\n")
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.access", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=f"rows to measure: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="few repeats: a check of the harness, not a measurement")
    parser.add_argument("--litellm-python", default="", help="interpreter that has litellm[proxy]; none makes one")
    parser.add_argument("--out", type=Path, help="raw file, added to when it exists; none names it by date and commit")
    parser.add_argument("--quiet-seconds", type=float, default=60.0, help="longest wait for a quiet machine, each row")
    return parser.parse_args()


def _surroundings(arguments: argparse.Namespace, raw: RawFile) -> Surroundings:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    kept = {name: value for name, value in read_environment().items() if not name.startswith("PODIUM__")}
    return Surroundings(
        python=sys.executable,
        work=WORK,
        repository=REPOSITORY,
        environment={**kept, "PYTHONUNBUFFERED": "1"},
        raw=raw,
        quick=arguments.quick,
        quiet_seconds=min(arguments.quiet_seconds, 2.0) if arguments.quick else arguments.quiet_seconds,
        litellm_python=arguments.litellm_python,
    )


def _measured(row: str, around: Surroundings) -> bool:
    """Measure a row; one that fails is written down, and the next one has its turn."""
    sys.stderr.write(f"measuring {row}\n")
    measured = False
    try:
        ROWS[row](around)
        measured = True
    except* (RuntimeError, OSError, ValueError, AssertionError, TimeoutError, subprocess.SubprocessError) as errors:
        first = errors.exceptions[0]
        error = f"{type(first).__name__}: {first}".replace(str(REPOSITORY), ".")[-2000:].strip()
        around.raw.add("failure", {"row": row, "error": error})
    return measured


def _header() -> dict[str, object]:
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": _PATHS.sub(r"\1 PATH", machine.command_line("benchmarks.access")),
        "commit": machine.commit(REPOSITORY),
        "machine": machine.describe(),
        "versions": {**machine.versions(sys.executable, PACKAGES), "redis": redis.split("v=")[1].split()[0]},
    }


def _raw_path() -> Path:
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    return RAW / f"access-{day}-{machine.commit(REPOSITORY)}.jsonl"


if __name__ == "__main__":
    main()
