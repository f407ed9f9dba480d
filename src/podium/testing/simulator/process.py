"""The simulator in a process of its own, and its truth afterwards."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from podium.testing.simulator.behaviour import Behaviour, Truth


@dataclass(frozen=True)
class RunningSimulator:
    """Where it listens, and the log that it writes."""

    url: str
    log: Path

    def truths(self) -> dict[str, Truth]:
        """Every request that has ended until now, by request id."""
        decoder = msgspec.json.Decoder(Truth)
        with self.log.open("rb") as lines:
            found = [decoder.decode(line) for line in lines]
        return {truth.request_id: truth for truth in found}


@contextmanager
def simulator(behaviour: Behaviour) -> Iterator[RunningSimulator]:
    """Start a simulator on a free port; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="podium-simulator-") as name:
        folder = Path(name)
        (folder / "behaviour.json").write_bytes(msgspec.json.encode(behaviour))
        log = folder / "truth.jsonl"
        log.touch()
        command = [sys.executable, "-m", "podium.testing.simulator.server", str(folder / "behaviour.json"), str(log)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - this is a bug: opened with a pipe
            assert process.stdin is not None  # noqa: S101 - same
            try:
                port = process.stdout.readline().strip()
                if not port:
                    raise RuntimeError("the simulator did not start; its own message is above")
                yield RunningSimulator(f"http://127.0.0.1:{port}", log)
            finally:
                process.kill()
