"""A real ``podium serve`` process for a test: on free ports, ready when the body begins, gone afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True, "token_interval_seconds": 0.03}}
"""A model that repeats the prompt, a byte each 30 ms, and obeys the fault words of the echo engine."""

LISTEN_SECONDS = 30.0
LOAD_SECONDS = 120.0
PAUSE_SECONDS = 0.02


@dataclass
class ServerProcess:
    """A running server: its addresses, its log so far, and the calls that tests make most."""

    process: subprocess.Popen[str]
    traffic: str = ""
    admin: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

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
        return next((record for record in list(self.log) if record.get("event") == event), None)


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
        command = [sys.executable, "-m", "podium", "serve", "--config", str(config)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            server = ServerProcess(process)
            reader = threading.Thread(target=_read_log, args=(server,), name="server log")
            reader.start()
            try:
                _wait_until_loaded(server)
                yield server
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                process.wait()
                reader.join()


def _wait_until_loaded(server: ServerProcess) -> None:
    listening = _until(server, "listen", lambda: server.logged("listening"), LISTEN_SECONDS)
    server.traffic, server.admin = listening["traffic"], listening["admin"]
    _until(server, "finish loading", lambda: server.probe("startupz").status_code == 200, LOAD_SECONDS)


def _until(server: ServerProcess, what: str, probe: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > end or server.process.poll() is not None:
            raise TimeoutError(f"the server did not {what}; the end of its log: {server.log[-3:]}")
        time.sleep(PAUSE_SECONDS)
    return value


def _read_log(server: ServerProcess) -> None:
    assert server.process.stderr is not None  # noqa: S101 - this is a bug: opened with a pipe
    for line in server.process.stderr:
        try:
            server.log.append(json.loads(line))
        except ValueError:
            server.log.append({"event": "not json", "line": line})
