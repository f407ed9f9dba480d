"""A real ``podium serve`` process for a test: on free ports, ready when the body begins, gone afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from podium.launch.child import Child

ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True, "token_interval_seconds": 0.03}}
"""A model that repeats the prompt, a byte each 30 ms, and obeys the fault words of the echo engine."""

LISTEN_SECONDS = 30.0
LOAD_SECONDS = 120.0


@dataclass
class ServerProcess:
    """A running server: its addresses, its log so far, and the calls that tests make most."""

    child: Child
    traffic: str = ""
    admin: str = ""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's own process, to be sent signals."""
        return self.child.process

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every record so far; a line that is none has the event ``not json``."""
        return self.child.log.records()

    def get(self, path: str) -> httpx.Response:
        """GET from the traffic port."""
        return httpx.get(self.traffic + path, timeout=10.0, trust_env=False)

    def probe(self, name: str) -> httpx.Response:
        """GET from the admin port."""
        return httpx.get(f"{self.admin}/{name}", timeout=10.0, trust_env=False)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """POST JSON to the traffic port."""
        return httpx.post(self.traffic + path, json=body, timeout=60.0, trust_env=False)

    def logged(self, event: str) -> dict[str, Any] | None:
        """The first log record of that event, if it has been written."""
        return self.child.log.first_of(event)


@contextmanager
def server_process(*models: dict[str, Any], **sections: dict[str, Any]) -> Iterator[ServerProcess]:
    """Start a server with ``models`` (the echo model when none) and other sections of ``podium.yaml``.

    The body begins when every model that loads at start has been tried, whether it loaded or not.
    Afterwards a server that still runs is ended by SIGKILL. Raises ``TimeoutError`` when it never
    listens or never finishes loading, with the end of its log.
    """
    settings: dict[str, Any] = {"models": list(models) or [ECHO], "logs": {"format": "json"}, **sections}
    settings["server"] = {"port": 0, "admin_port": 0, "heartbeat_seconds": 0.2, **sections.get("server", {})}
    with tempfile.TemporaryDirectory() as folder:
        settings["access"] = {"database": str(Path(folder) / "podium.db"), **sections.get("access", {})}
        config = Path(folder) / "podium.yaml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        server = ServerProcess(Child("serve", "--config", str(config), log=Path(folder) / "log"))
        try:
            _wait_until_loaded(server)
            yield server
        finally:
            server.child.kill()


def _wait_until_loaded(server: ServerProcess) -> None:
    listening = _until(server, "listen", lambda: server.logged("listening"), LISTEN_SECONDS)
    server.traffic, server.admin = listening["traffic"], listening["admin"]
    _until(server, "finish loading", lambda: server.probe("startupz").status_code == 200, LOAD_SECONDS)


def _until(server: ServerProcess, what: str, probe: Callable[[], Any], seconds: float) -> Any:
    value = server.child.until(probe, seconds)
    if value is None:
        raise TimeoutError(f"the server did not {what}; the end of its log: {server.log[-3:]}")
    return value
