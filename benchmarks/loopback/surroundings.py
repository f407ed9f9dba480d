"""What every row of the benchmark is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.machine import as_mapping, wait_until_quiet
from benchmarks.serving.raw_file import RawFile


@dataclass(frozen=True)
class Surroundings:
    """Our interpreter, a folder for this run's files, the environment for children, and where figures go.

    ``quick`` makes every row short: a check of the harness. ``litellm_python`` empty: an environment is made.
    ``peers``: interpreters of other programs that are compared, by name; empty as above.
    """

    python: str
    work: Path
    repository: Path
    environment: Mapping[str, str]
    raw: RawFile
    quick: bool
    quiet_seconds: float
    litellm_python: str
    peers: Mapping[str, str] = field(default_factory=dict)

    def quiet(self) -> dict[str, object]:
        """Wait until the machine is quiet, or no longer; how it was then, for the raw file."""
        return as_mapping(wait_until_quiet(self.quiet_seconds))

    def record(self, row: str, **members: Any) -> None:
        """Write one record of ``row``."""
        self.raw.add(row, {**members, "quick": self.quick})
