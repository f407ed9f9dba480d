"""A cluster without Kubernetes: an API server of the tests' own, a real controller, real gateways, any servers.

Pods are processes; each gateway has an address of its own on loopback, and all of them share the listener's port.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.api_server import ApiServer, api_server, endpoint
from support.command import environment
from support.deadline import until
from support.hosts import Hosts
from support.ports import free_port

START_SECONDS = 60.0
GATEWAY = "podium"


@dataclass
class GatewayProcess:
    """One gateway pod."""

    host: str
    status: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> int:
        """The status of a question to it; 0 when it does not answer."""
        try:
            return httpx.get(f"{self.status}{path}", timeout=5.0, trust_env=False).status_code
        except httpx.HTTPError:
            return 0


@dataclass
class Cluster:
    """Everything, by what it is for."""

    folder: Path
    api: ApiServer
    gateway: str
    control: str
    port: int
    status_port: int
    discovery: str
    scraped: str
    stack: ExitStack
    hosts: Hosts | None = None
    controller: subprocess.Popen[bytes] | None = None
    gateways: list[GatewayProcess] = field(default_factory=list)

    def start_controller(self) -> None:
        """Start it, and wait until it answers."""
        words = {
            "--config": self.folder / "podium.yaml",
            "--folder": self.folder,
            "--account": self.api.account,
            "--discovery": self.discovery,
            "--gateways": GATEWAY,
            "--status-port": self.status_port,
            "--gateway-log": "attempts.jsonl",
            "--api-server": self.api.url,
            "--scraped": self.scraped,
        }
        self.controller = self._start("podium.controller.in_cluster", words, self.folder, "controller.log")
        until("the controller answers", lambda: self._asked("/livez"), seconds=START_SECONDS)

    def kill_controller(self) -> None:
        """SIGKILL."""
        assert self.controller is not None
        self.controller.kill()
        self.controller.wait()

    def start_gateway(self, host: str) -> GatewayProcess:
        """Start another gateway, and wait until it is ready and known."""
        folder = self.folder / host
        folder.mkdir()
        status = f"{host}:{self.status_port}"
        words = {
            "--config": self.folder / "podium.yaml",
            "--folder": folder,
            "--controller": self.discovery,
            "--status": status,
        }
        enter = self.hosts.enter(host) if self.hosts else []
        process = self._start("podium.supervisor.gateway_pod", words, folder, f"gateway-{host}.log", enter)
        one = GatewayProcess(host, f"http://{status}", process, self.folder / f"gateway-{host}.log")
        until("the gateway is ready", lambda: one.get("/readyz") == 200, seconds=START_SECONDS)
        self.gateways.append(one)
        self.tell_gateways()
        return one

    def tell_gateways(self) -> None:
        """Let the API server know the gateways as they are."""
        self.api.put("podium-1", GATEWAY, [endpoint(each.host) for each in self.gateways], self.port)

    def tell_servers(self, environment: str, *ports: int) -> None:
        """Let the API server know the servers of an environment: a slice for each port, as they share one address."""
        for name in [name for name in self.api.slices if name.startswith(f"podium-{environment}-")]:
            if int(name.rpartition("-")[2]) not in ports:
                self.api.delete(name)
        for port in ports:
            if (name := f"podium-{environment}-{port}") not in self.api.slices:
                self.api.put(name, f"podium-{environment}", [endpoint(self.discovery.partition(":")[0])], port)

    def traffic(self) -> dict[str, Any]:
        """What ``GET /control/traffic`` says."""
        answer: dict[str, Any] = httpx.get(f"{self.control}/control/traffic", timeout=30).raise_for_status().json()
        return answer

    def servers(self, environment: str) -> dict[str, bool | None]:
        """Whether each server of an environment is healthy for every gateway, by port."""
        endpoints = self.traffic()["environments"][environment]["endpoints"]
        return {each["address"].rpartition(":")[2]: each["healthy"] for each in endpoints}

    def are_healthy(self, environment: str, *ports: int) -> bool:
        """Whether these are its servers, and every gateway finds all of them healthy."""
        return self.servers(environment) == {str(port): True for port in ports}

    def _asked(self, path: str) -> bool:
        assert self.controller is not None
        assert self.controller.poll() is None, (self.folder / "controller.log").read_text()[-3000:]
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.control}{path}", timeout=5).is_success
        return False

    def _start(
        self, module: str, words: dict[str, Any], folder: Path, log: str, enter: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        flags = [str(word) for flag in words.items() for word in flag]
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                [*enter, sys.executable, "-m", module, *flags],
                cwd=folder,
                env=environment(),
                stdout=output,
                stderr=output,
            )
        self.stack.callback(_end, process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def cluster(
    folder: Path,
    *,
    gateways: int = 2,
    machines: Hosts | None = None,
    drain_seconds: float | None = None,
    **settings: Any,
) -> Iterator[Cluster]:
    """Blue and green, whose servers the test tells, behind gateways that are ready; ended afterwards.

    With ``machines`` each gateway is on one of its own; servers and controller are on the test's.
    """
    port, status_port, control, discovery, scraped = (free_port() for _ in range(5))
    gateway = {
        "listen": f"0.0.0.0:{port}",
        "control": f"127.0.0.1:{control}",
        "environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}},
        "envoy_threads": 1,
        "access_log": "stdout",
        "weights": {"blue": 100.0},
        **({} if drain_seconds is None else {"drain_seconds": drain_seconds}),
    }
    (folder / "podium.yaml").write_text(json.dumps({"gateway": gateway, **settings}))
    (folder / "account").mkdir()
    with api_server(folder / "account") as api, ExitStack() as stack:
        one = Cluster(
            folder=folder,
            api=api,
            gateway=f"http://127.0.0.1:{port}",
            control=f"http://127.0.0.1:{control}",
            port=port,
            status_port=status_port,
            discovery=f"{machines.outside if machines else '127.0.0.1'}:{discovery}",
            scraped=f"0.0.0.0:{scraped}",
            stack=stack,
            hosts=machines,
        )
        one.start_controller()
        addresses = list(machines.inside.values()) if machines else [f"127.0.0.{2 + each}" for each in range(gateways)]
        for address in addresses[:gateways]:
            one.start_gateway(address)
        yield one
