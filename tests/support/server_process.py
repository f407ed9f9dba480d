"""A real ``podium serve`` process for a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.deadline import until

ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True, "token_interval_seconds": 0.03}}


@dataclass
class ServerProcess:
    """A running server: its addresses, its log so far, and how to end it."""

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
        return httpx.post(self.traffic + path, json=body, timeout=30.0, trust_env=False)

    def logged(self, event: str) -> dict[str, Any] | None:
        """The first log record of that event, if it has been written."""
        return next((record for record in list(self.log) if record.get("event") == event), None)

    def worker_pid(self) -> int:
        """Process id of the only worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return int(children[0])


@contextmanager
def server_process(*models: dict[str, Any], **sections: dict[str, Any]) -> Iterator[ServerProcess]:
    """Start a server on free ports and wait until it is ready; SIGKILL it afterwards if it still runs."""
    settings: dict[str, Any] = {"models": list(models) or [ECHO], "logs": {"format": "json"}, **sections}
    settings["server"] = {"port": 0, "admin_port": 0, "heartbeat_seconds": 0.2, **sections.get("server", {})}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "podium.yaml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        command = [sys.executable, "-m", "podium", "serve", "--config", str(config)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
            server = ServerProcess(process)
            reader = threading.Thread(target=_read_log, args=(server,), name="server log")
            reader.start()
            try:
                listening = until("the server listens", lambda: server.logged("listening"), seconds=30)
                server.traffic, server.admin = listening["traffic"], listening["admin"]
                until("initial loads", lambda: server.probe("startupz").status_code == 200, seconds=60)
                yield server
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                process.wait()
                reader.join()


def _read_log(server: ServerProcess) -> None:
    assert server.process.stderr is not None
    for line in server.process.stderr:
        try:
            server.log.append(json.loads(line))
        except ValueError:
            server.log.append({"event": "not json", "line": line})
