"""What the machine is, and whether it is quiet enough to measure."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

OURSELVES = "client"
QUIET_SHARE = 0.06
QUIET_WINDOW_SECONDS = 1.0
_VERSIONS = "import importlib.metadata as m,json,sys;print(json.dumps({n:m.version(n) for n in sys.argv[1:]}))"


@dataclass(frozen=True)
class Quiet:
    """The state of the machine before a run: CPU share in use, and the load averages."""

    waited_seconds: float
    busy_share: float
    load_average: tuple[float, float, float]
    quiet: bool


def wait_until_quiet(most_seconds: float) -> Quiet:
    """Wait until almost nothing runs, at most ``most_seconds``; tells which of the two it was."""
    started = time.monotonic()
    while True:
        busy = psutil.cpu_percent(QUIET_WINDOW_SECONDS) / 100
        waited = time.monotonic() - started
        if busy <= QUIET_SHARE or waited >= most_seconds:
            return Quiet(round(waited, 1), round(busy, 3), os.getloadavg(), busy <= QUIET_SHARE)


class CpuMeter:
    """CPU seconds of named processes, with their children, and of everything else on the machine."""

    def __init__(self, roots: dict[str, int]) -> None:
        self._processes: dict[str, list[psutil.Process]] = {}
        for name, pid in roots.items():
            root = psutil.Process(pid)
            self._processes[name] = [root]
            for child in root.children(recursive=True) if name != OURSELVES else ():
                self._processes.setdefault(f"{name}/{_role(child)}", []).append(child)
        self._before = self._read()
        self._machine_before = _machine_seconds()
        self._started = time.perf_counter()

    def stop(self) -> dict[str, float]:
        """Seconds since the start: ``wall``, each name's, and ``other`` (not ours; ``steal`` is the hypervisor's)."""
        wall = time.perf_counter() - self._started
        used = {name: seconds - self._before[name] for name, seconds in self._read().items()}
        busy, steal = (after - before for after, before in zip(_machine_seconds(), self._machine_before, strict=True))
        other = max(0.0, busy - sum(used.values()))
        return {
            name: round(seconds, 3) for name, seconds in {"wall": wall, **used, "other": other, "steal": steal}.items()
        }

    def _read(self) -> dict[str, float]:
        return {name: sum(map(_cpu_seconds, processes)) for name, processes in self._processes.items()}


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _role(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    for mark, role in (("podium.engine.worker", "worker"), ("EngineCore", "engine"), ("resource_tracker", "tracker")):
        if mark in command:
            return role
    return process.name()


def _machine_seconds() -> tuple[float, float]:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq, times.steal


def describe() -> dict[str, object]:
    """Facts about this machine for the raw file."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "features": [
            flag for flag in ("avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8") if flag in _flags()
        ],
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit(repository: Path) -> str:
    """The commit that is checked out, with a mark when files differ from it."""
    found = _git(repository, "rev-parse", "--short=10", "HEAD")
    if not found:
        return "uncommitted"
    return f"{found}+changes" if _git(repository, "status", "--porcelain", "--", "src", "benchmarks") else found


def versions(python: str, names: tuple[str, ...]) -> dict[str, str]:
    """Versions of distributions in another environment."""
    import json  # noqa: PLC0415

    done = subprocess.run([python, "-c", _VERSIONS, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def command_line(package: str = "benchmarks.serving") -> str:
    """How this program was called."""
    return " ".join(["python", "-m", package, *sys.argv[1:]])


def as_mapping(quiet: Quiet) -> dict[str, object]:
    """For the raw file."""
    return asdict(quiet)


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return f"{facts.get('model name', 'unknown')} (family {facts.get('cpu family')}, model {facts.get('model')})"


def _flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()
