"""``podium up`` in front of servers of this benchmark, and those servers, as processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import yaml

from benchmarks.loopback.podium_server import pinned
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import ServerProcess, free_port

CONTROL_SECONDS = 30.0
PATH = "/v1/chat/completions"
BODY: Mapping[str, Any] = {"model": "echo", "messages": [{"role": "user", "content": "say the same words as always"}]}


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    process: ServerProcess
    port: int
    control_port: int

    @property
    def url(self) -> str:
        """Of the control routes."""
        return f"http://127.0.0.1:{self.control_port}/control/traffic"

    def traffic(self) -> dict[str, Any]:
        """What the controller says."""
        found: dict[str, Any] = httpx.get(self.url, timeout=CONTROL_SECONDS).raise_for_status().json()
        return found

    def wait_until(self, environment: str, *, healthy: bool) -> None:
        """Return when Envoy thinks so of every server of ``environment``."""
        ends = time.monotonic() + CONTROL_SECONDS
        while any(one["healthy"] is not healthy for one in self.traffic()["environments"][environment]["endpoints"]):
            if time.monotonic() > ends:
                raise RuntimeError(f"{environment} did not become {'healthy' if healthy else 'unhealthy'}")
            time.sleep(0.02)


@contextlib.contextmanager
def gateway(
    label: str, servers: Mapping[str, int], around: Surroundings, *, core: int | None = None, **settings: Any
) -> Iterator[Gateway]:
    """One environment for each of ``servers`` (their ports); ready when all of them are healthy."""
    port, control_port = free_port(), free_port()
    environments = {name: {"endpoints": [f"http://127.0.0.1:{server}"]} for name, server in servers.items()}
    listen, control = f"127.0.0.1:{port}", f"127.0.0.1:{control_port}"
    threads = {} if core is None else {"envoy_threads": 1}
    own = {"listen": listen, "control": control, "environments": environments, **threads, **settings}
    folder = around.work / label
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "podium.yaml"
    config.write_text(yaml.safe_dump({"gateway": own, "logs": {"format": "json"}}), "utf-8")
    command = [*pinned(core), around.python, "-m", "podium", "up", "--config", str(config)]
    with ServerProcess(command, around.environment, folder / "log.txt", (control_port, "/readyz"), folder) as process:
        found = Gateway(process, port, control_port)
        for name in servers:
            found.wait_until(name, healthy=True)
        yield found


def server(label: str, port: int, around: Surroundings, *words: str, core: int | None = None) -> ServerProcess:
    """A server of this benchmark, not started yet; entered, it answers."""
    command = [*pinned(core), around.python, "-m", "benchmarks.gateway.upstream", str(port), *words]
    return ServerProcess(command, around.environment, around.work / f"{label}.log", (port, "/"), around.repository)


def behave(port: int, behaviour: str) -> None:
    """Tell the server on ``port`` how to answer."""
    httpx.get(f"http://127.0.0.1:{port}/behave/{behaviour}", timeout=CONTROL_SECONDS).raise_for_status()
