"""The program of a benchmark: rows by name, a raw file that is added to, a page that is written from it."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.loopback.page import RAW, REPOSITORY, Page
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving import machine
from benchmarks.serving.raw_file import RawFile
from podium.config.sources import read_environment

_PATHS = re.compile(r"(--(?:out|\w+-python))[ =]\S+")
"""Options whose values say where things lie on one machine, which is nothing for a page."""


def _nothing() -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Program:
    """``python -m benchmarks.NAME``. ``packages`` are those whose versions matter, ``programs`` other versions.

    ``peers``: programs that are compared, and what is installed for them; each has an option for its interpreter.
    """

    name: str
    rows: Mapping[str, Callable[[Surroundings], None]]
    page: Page
    packages: tuple[str, ...]
    programs: Callable[[], dict[str, str]] = field(default=_nothing)
    peers: Mapping[str, str] = field(default_factory=lambda: {"litellm": "litellm[proxy]"})

    def main(self) -> None:
        """Measure, add to the raw file, write the page from it."""
        arguments = self._arguments()
        path: Path = (arguments.out or self._raw_path()).resolve()
        raw = RawFile(path, self._header(), keep=path.exists())
        around = self._surroundings(arguments, raw)
        failed = [row for row in arguments.only or self.rows if not self._measured(row, around)]
        if path.parent == RAW:
            self.page.write(path)
        sys.stderr.write(f"raw data: {path}\n")
        if failed:
            raise SystemExit(f"not measured: {', '.join(failed)}")

    def _arguments(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(prog=f"python -m {self.page.package}")
        add, rows = parser.add_argument, self.rows
        add("--only", nargs="+", choices=rows, metavar="ROW", help=f"rows to measure: {', '.join(rows)}")
        add("--quick", action="store_true", help="few repeats: a check of the harness, not a measurement")
        for peer, packages in self.peers.items():
            add(f"--{peer}-python", default="", help=f"interpreter that has {packages}; none makes one")
        add("--out", type=Path, help="raw file, added to when it exists; none names it by date and commit")
        add("--quiet-seconds", type=float, default=60.0, help="longest wait for a quiet machine, each row")
        return parser.parse_args()

    def _surroundings(self, arguments: argparse.Namespace, raw: RawFile) -> Surroundings:
        work = REPOSITORY / "benchmarks" / ".cache" / self.name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        kept = {name: value for name, value in read_environment().items() if not name.startswith("PODIUM__")}
        return Surroundings(
            python=sys.executable,
            work=work,
            repository=REPOSITORY,
            environment={**kept, "PYTHONUNBUFFERED": "1"},
            raw=raw,
            quick=arguments.quick,
            quiet_seconds=min(arguments.quiet_seconds, 2.0) if arguments.quick else arguments.quiet_seconds,
            litellm_python=getattr(arguments, "litellm_python", ""),
            peers={peer: getattr(arguments, f"{peer}_python") for peer in self.peers},
        )

    def _measured(self, row: str, around: Surroundings) -> bool:
        """Measure a row; one that fails is written down, and the next one has its turn."""
        sys.stderr.write(f"measuring {row}\n")
        measured = False
        try:
            self.rows[row](around)
            measured = True
        except* (RuntimeError, OSError, ValueError, AssertionError, TimeoutError, subprocess.SubprocessError) as errors:
            first = errors.exceptions[0]
            error = f"{type(first).__name__}: {first}".replace(str(REPOSITORY), ".")[-2000:].strip()
            around.raw.add("failure", {"row": row, "error": error})
        return measured

    def _header(self) -> dict[str, object]:
        return {
            "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "command": _PATHS.sub(r"\1 PATH", machine.command_line(self.page.package)),
            "commit": machine.commit(REPOSITORY),
            "machine": machine.describe(),
            "versions": {**machine.versions(sys.executable, self.packages), **self.programs()},
        }

    def _raw_path(self) -> Path:
        day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
        return RAW / f"{self.name}-{day}-{machine.commit(REPOSITORY)}.jsonl"
