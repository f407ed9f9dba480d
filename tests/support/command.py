"""Running the ``podium`` command: inside the test, or as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from podium.cli.main import main

PODIUM = [sys.executable, "-m", "podium"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """Runs a command inside the test, with its output captured."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        status = main(list(arguments))
        captured = self.capsys.readouterr()
        return Ended(status, captured.out, captured.err)


def environment(**extra: str) -> dict[str, str]:
    """The environment for a command's process: ours without Podium's variables, and ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PODIUM__")}
    return {**kept, "NO_COLOR": "1", **extra}


def podium(*arguments: str, cwd: Path, timeout_seconds: float = 60.0, stdin: str | None = None) -> Ended:
    """Run a command as a process and wait for its end."""
    done = subprocess.run(
        [*PODIUM, *arguments],
        cwd=cwd,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
