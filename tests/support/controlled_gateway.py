"""A real Envoy and a real controller without a supervisor, so that a test can kill the controller when it likes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from podium.config.gateway import Gateway
from podium.config.settings import Settings
from podium.controller.run_folder import RunFolder
from podium.gateway.binary import envoy_binary
from podium.supervisor.envoy import envoy_command
from support.command import environment
from support.deadline import until
from support.ports import free_port
from support.upstreams import Upstream

LONG_SECONDS = 60.0
QUICK = {
    "interval_seconds": 1,
    "min_soak_seconds": 2,
    "blind_seconds": 5,
    "min_canary_requests": 5,
    "max_bad_rate_increase": 0.5,
    "bake_seconds": 1,
    "steps": [50, 100],
}


@dataclass
class ControlledGateway:
    """Blue (stable) and green behind an Envoy, and the controller's process. The rollout's history is in ``folder``."""

    folder: Path
    settings: Settings
    controller: subprocess.Popen[bytes]

    @property
    def gateway(self) -> str:
        """Where clients ask."""
        return f"http://{self.settings.gateway.listen}"

    @property
    def control(self) -> str:
        """Where the control routes are."""
        return f"http://{self.settings.gateway.control}"

    @property
    def history(self) -> Path:
        """The file of the rollouts."""
        return self.folder / self.settings.rollout.history_file

    @property
    def traffic(self) -> dict[str, Any]:
        """What ``GET /control/traffic`` says."""
        return self.get("/control/traffic")

    @property
    def now(self) -> dict[str, Any]:
        """The rollout that runs, or the last one."""
        return self.get("/control/rollouts/current")

    def start(self, **wish: Any) -> dict[str, Any]:
        """Start a rollout of green."""
        return self.post("/control/rollouts", 201, environment="green", **wish)

    def post(self, path: str, status: int, **body: Any) -> dict[str, Any]:
        """The answer, which has to have that status."""
        answer = httpx.post(f"{self.control}{path}", json=body, timeout=30)
        assert answer.status_code == status, f"{answer.text} {self.said}"
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> dict[str, Any]:
        """The answer."""
        answer: dict[str, Any] = httpx.get(f"{self.control}{path}", timeout=30).raise_for_status().json()
        return answer

    def reaches(self, *phases: str) -> dict[str, Any]:
        """The rollout as soon as it is in one of the phases."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.append(self.now)
            return found[-1]["phase"] in phases

        try:
            until(f"the rollout is {phases}", look, seconds=LONG_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found[-1]}; {self.said}") from error
        return found[-1]

    @property
    def said(self) -> str:
        """The end of the controller's log."""
        return (self.folder / "controller.log").read_text()[-3000:]

    def kill(self) -> None:
        """End the controller by SIGKILL."""
        self.controller.send_signal(signal.SIGKILL)
        _wait(self.controller)

    def begin(self) -> None:
        """Start the controller, and wait until it has fed the gateway."""
        self.controller = _controller(self.folder)
        until("the controller is ready", self._is_ready, seconds=LONG_SECONDS)

    def _is_ready(self) -> bool:
        assert self.controller.poll() is None, self.said
        try:
            return httpx.get(f"{self.control}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def controlled_gateway(
    folder: Path, blue: Upstream, green: Upstream, *, weights: dict[str, float] | None = None, **rollout: Any
) -> Iterator[ControlledGateway]:
    """Both processes, ready; ended afterwards. ``rollout``: settings instead of the quick ones."""
    gateway = Gateway.model_validate(
        {
            "listen": f"127.0.0.1:{free_port()}",
            "control": f"127.0.0.1:{free_port()}",
            "environments": {"blue": {"endpoints": [blue.url]}, "green": {"endpoints": [green.url]}},
            "envoy_threads": 1,
            "weights": weights or {},
        }
    )
    settings = Settings.model_validate({"gateway": gateway, "rollout": {**QUICK, **rollout}})
    run = RunFolder(folder)
    run.controller_settings.write_text(settings.model_dump_json())
    command = envoy_command(asyncio.run(envoy_binary(None)), run, gateway)
    with (folder / "envoy.log").open("wb") as output:
        envoy = subprocess.Popen(command.arguments, stdout=output, stderr=output, env=environment())
    one = ControlledGateway(folder, settings, _controller(folder))
    try:
        until("the controller is ready", one._is_ready, seconds=LONG_SECONDS)
        yield one
    finally:
        for process in (one.controller, envoy):
            process.terminate()  # the second one is gone when a test has killed it
        _wait(one.controller)
        envoy.wait(30)


def _wait(controller: subprocess.Popen[bytes]) -> None:
    controller.wait(30)
    assert controller.stdin is not None
    controller.stdin.close()


def _controller(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "controller.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "podium.controller", str(folder)],
            cwd=folder,
            env={**environment(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
