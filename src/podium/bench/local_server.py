"""A server of one's own to measure: started by Podium as a child process on free ports, stopped by its process id."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

import httpx
import psutil
import yaml

from podium.core.errors import Unavailable

_LISTEN_SECONDS = 60.0
_LOAD_SECONDS = 600.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_LAST_WORDS = 400


class LocalServer:
    """``podium serve`` with ``settings`` (sections of ``podium.yaml``), for as long as the block lasts.

    Entering waits until every model that loads at start is ready; leaving ends the process, by SIGKILL where it must.
    It also ends when this program dies: it watches the pipe that is its standard input. Nobody else is told about it,
    and it keeps no keys: its own database, anonymous callers of this machine.
    """

    _program = "serve"

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._log_at = 0

    def __enter__(self) -> Self:
        """Raises ``Unavailable`` with the server's last words when it ends or never becomes ready."""
        self._folder = tempfile.TemporaryDirectory()  # removed in __exit__
        folder = Path(self._folder.name)
        config = folder / "podium.yaml"
        config.write_text(yaml.safe_dump(self._private(folder)), "utf-8")
        self._log: IO[bytes] = (folder / "log").open("w+b")
        command = [sys.executable, "-m", "podium", self._program, "--until-stdin-closes", "--config", str(config)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]  # PIPE was asked for
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_tree()
        self._log.close()
        self._folder.cleanup()

    def cpu_seconds(self) -> float:
        """Processor time that the server and its workers have used so far."""
        total = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def memory_bytes(self) -> int:
        """Resident memory of the server and its workers."""
        total = 0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _kill_tree(self) -> None:
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _wait_until_ready(self) -> None:
        listening = self._until("listen", _LISTEN_SECONDS, lambda: self._logged("listening"))
        self.url: str = listening["traffic"]
        self.metrics_urls = [f"{listening['admin']}/metrics"]
        probe = f"{listening['admin']}/readyz"
        self._until("become ready", _LOAD_SECONDS, lambda: self._is_ready(probe))

    def _until(self, what: str, seconds: float, seen: Any) -> Any:
        end = time.monotonic() + seconds
        while not (value := seen()):
            if time.monotonic() > end or self._process.poll() is not None:
                raise Unavailable(f"the server to measure did not {what}: {self._last_words()}")
            time.sleep(_POLL_SECONDS)
        return value

    def _is_ready(self, probe: str) -> bool:
        self._refuse_failed_models()
        return _answers(probe)

    def _refuse_failed_models(self) -> None:
        if self._logged("model failed to load"):
            raise Unavailable(f"the server to measure cannot load its model: {self._last_words()}")

    def _logged(self, event: str) -> dict[str, Any] | None:
        return next(self._all_logged(event), None)

    def _all_logged(self, event: str) -> Iterator[dict[str, Any]]:
        for line in self._lines():
            with contextlib.suppress(ValueError):
                record = json.loads(line[max(0, line.find("{")) :])  # a process's name may stand in front
                if isinstance(record, dict) and record.get("event") == event:
                    yield record

    def _private(self, folder: Path) -> dict[str, Any]:
        """The settings of the process: those to measure, at free ports, and with nothing that others share."""
        given = self._settings
        host = {"host": "127.0.0.1", "admin_host": "127.0.0.1", "port": 0, "admin_port": 0}
        own = {"anonymous": "loopback", "store": "sqlite", "database": str(folder / "podium.db"), "jwt": None}
        return {
            **{name: value for name, value in given.items() if name in {"models", "cache"}},
            "server": {**given.get("server", {}), **host},
            "access": {**given.get("access", {}), **own},
            "logs": {"format": "json"},
        }

    def _lines(self) -> list[str]:
        return (Path(self._folder.name) / "log").read_text("utf-8", errors="replace").splitlines()

    def _last_words(self) -> str:
        lines = [line for line in self._lines() if line.strip()]
        return (lines or ["it said nothing"])[-1][:_LAST_WORDS]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
