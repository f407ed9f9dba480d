"""Facts about this machine that decide what it can run."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

CPU_FILE = Path("/proc/cpuinfo")
_FEATURES = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "bf16",
    "sve",
)
_GPU_QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
_GPU_SECONDS = 10.0


@dataclass(frozen=True)
class Cpu:
    """The processor; ``features`` are those that engines gain from."""

    name: str
    physical_cores: int
    logical_cores: int
    features: list[str]


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU, as its driver tells."""

    name: str
    memory_bytes: int
    driver: str


@dataclass(frozen=True)
class Machine:
    """What this machine has."""

    system: str
    python: str
    cpu: Cpu
    memory_bytes: int
    available_bytes: int
    gpus: list[Gpu]


def look() -> Machine:
    """This machine, now."""
    memory = psutil.virtual_memory()
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu=_cpu(CPU_FILE.read_text() if CPU_FILE.exists() else ""),
        memory_bytes=memory.total,
        available_bytes=memory.available,
        gpus=_gpus(),
    )


def _cpu(text: str) -> Cpu:
    """The processor of a ``/proc/cpuinfo`` text."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    flags = f"{values.get('flags', '')} {values.get('Features', '')}".split()
    return Cpu(
        name=values.get("model name") or platform.processor() or platform.machine(),
        physical_cores=psutil.cpu_count(logical=False) or 0,
        logical_cores=psutil.cpu_count() or 0,
        features=[feature for feature in _FEATURES if feature in flags],
    )


def _gpus() -> list[Gpu]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run([program, *_GPU_QUERY], capture_output=True, text=True, timeout=_GPU_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_gpus(done.stdout) if done.returncode == 0 else []


def parse_gpus(text: str) -> list[Gpu]:
    """GPUs from the driver's lines ``name, MiB, driver``; a line of another form is left out."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3 and parts[1].isdigit():
            found.append(Gpu(parts[0], int(parts[1]) * 1024**2, parts[2]))
    return found


def torchvision_conflict() -> str | None:
    """A warning when torchvision was built for another torch than the one installed, else None."""
    torch, torchvision = _version("torch"), _version("torchvision")
    if torch is None or torchvision is None:
        return None
    build = torch.partition("+")[2]
    if build == "cpu" and torchvision.partition("+")[2] != "cpu":
        return (
            f"torchvision {torchvision} beside CPU torch {torch}: importing it fails (torchvision::nms); Podium does "
            "not import it, other programs in this environment may; uninstall it or install its CPU build"
        )
    return None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
