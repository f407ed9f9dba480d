"""A ``podium up`` with a gateway, as processes, and what a test asks of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from podium.gateway.attempts import Attempt, AttemptsLog
from podium.gateway.route import SPLIT
from support.command import PODIUM, environment
from support.deadline import until
from support.ports import free_port

ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True}}
BODY = {"model": "echo", "prompt": "abcdef", "max_tokens": 6}
START_SECONDS = 60.0
STOP_SECONDS = 60


@dataclass
class RunningStack:
    """A stack that was started: its supervisor, its addresses, and its log."""

    process: subprocess.Popen[bytes]
    gateway: str
    control: str
    log: Path
    folder: Path

    def ask(self, *, user: str | None = None, arm: str | None = None, **body: Any) -> httpx.Response:
        """One completion through the gateway, on a connection of its own."""
        headers = {name: value for name, value in (("x-podium-user", user), ("x-podium-arm", arm)) if value is not None}
        return httpx.post(f"{self.gateway}/v1/completions", json={**BODY, **body}, headers=headers, timeout=30)

    def traffic(self) -> dict[str, Any]:
        """What ``GET /control/traffic`` says."""
        answer: dict[str, Any] = httpx.get(f"{self.control}/control/traffic", timeout=10).raise_for_status().json()
        return answer

    def set_weights(self, **weights: float) -> httpx.Response:
        """The answer to ``PUT /control/traffic``."""
        return httpx.put(f"{self.control}/control/traffic", json={"weights": weights}, timeout=30)

    def child(self, *words: str) -> psutil.Process:
        """The one process below the supervisor whose command line holds all of ``words``."""
        (found,) = [child for child in self.children() if all(word in " ".join(child.cmdline()[1:]) for word in words)]
        return found

    def children(self) -> list[psutil.Process]:
        """The supervisor's own children."""
        return psutil.Process(self.process.pid).children()

    def run_folder(self) -> Path:
        """Where the processes meet."""
        return Path(self.child("podium.controller").cmdline()[-1])

    def attempts(self, route: str = SPLIT) -> list[Attempt]:
        """Every attempt so far on ``route``: those that the weights sent somewhere, or those of one pin."""
        reader = AttemptsLog(self.run_folder() / "attempts.jsonl")
        found: list[Attempt] = []
        while more := reader.read():
            found += more
        reader.close()
        return [attempt for attempt in found if attempt.route == route]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, and wait until it has. SIGINT comes as from a terminal: to its whole process group."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running_stack(folder: Path, **settings: Any) -> Iterator[RunningStack]:
    """A stack of ``settings`` (sections of podium.yaml) on free ports; ready when given, ended afterwards."""
    listen, control = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    gateway = {"listen": listen, "control": control, "envoy_threads": 1, **settings.pop("gateway", {})}
    (folder / "podium.yaml").write_text(yaml.safe_dump({"models": [ECHO], **settings, "gateway": gateway}))
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PODIUM, "up"], cwd=folder, env=environment(), stdout=output, stderr=output, process_group=0
        )
    scheme = "https" if "tls" in gateway else "http"
    stack = RunningStack(process, f"{scheme}://{listen}", f"http://{control}", log, folder)
    try:
        until("everything is ready", lambda: _is_started(stack), seconds=START_SECONDS)
        yield stack
    finally:
        if process.poll() is None:
            stack.stop()


def _is_started(stack: RunningStack) -> bool:
    text = stack.log.read_text()
    assert stack.process.poll() is None, text
    return "Ctrl-C" in text


def logged(stack: RunningStack, process: str) -> list[dict[str, Any]]:
    """The records that a process of the stack has logged."""
    records = [json.loads(line) for line in stack.log.read_text().splitlines() if line.startswith("{")]
    return [record for record in records if record.get("process") == process]
