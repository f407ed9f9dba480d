"""What every part of the benchmark is given, and what every run gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.timings import Timed


@dataclass(frozen=True)
class Surroundings:
    """Where things are: our interpreter and the peers', the models, logs, and the environment for children."""

    python: str
    vllm_python: str
    transformers_python: str
    models: Path
    work: Path
    repository: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a run gave: timings, CPU seconds by process, and the token ids where the peer tells them."""

    timings: list[Timed]
    cpu_seconds: dict[str, float]
