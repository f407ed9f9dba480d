"""A server of one's own to measure: started by Podium as a child process on free ports, stopped by its process id."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import psutil
import yaml

from podium.core.errors import Unavailable
from podium.launch.child import Child

T = TypeVar("T")

_LISTEN_SECONDS = 60.0
_LOAD_SECONDS = 600.0
_STOP_SECONDS = 15.0


class LocalServer:
    """``podium serve`` with ``settings`` (sections of ``podium.yaml``), for as long as the block lasts.

    Entering waits until every model that loads at start is ready; leaving ends the process, by SIGKILL where it must.
    It also ends when this program dies: it watches the pipe that is its standard input. Nobody else is told about it,
    and it keeps no keys: its own database, anonymous callers of this machine.
    """

    _program = "serve"

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        """Raises ``Unavailable`` with the server's last words when it ends or never becomes ready."""
        self._folder = tempfile.TemporaryDirectory()  # removed in __exit__
        folder = Path(self._folder.name)
        config = folder / "podium.yaml"
        config.write_text(yaml.safe_dump(self._private(folder)), "utf-8")
        self._child = Child(self._program, "--config", str(config), log=folder / "log")
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end(_STOP_SECONDS)
        self._folder.cleanup()

    def cpu_seconds(self) -> float:
        """Processor time that the server and its workers have used so far."""
        total = 0.0
        for process in self._child.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def memory_bytes(self) -> int:
        """Resident memory of the server and its workers."""
        total = 0
        for process in self._child.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def _wait_until_ready(self) -> None:
        listening = self._until("listen", _LISTEN_SECONDS, lambda: self._child.log.first_of("listening"))
        self.url: str = listening["traffic"]
        self.metrics_urls = [f"{listening['admin']}/metrics"]
        probe = f"{listening['admin']}/readyz"
        self._until("become ready", _LOAD_SECONDS, lambda: self._is_ready(probe))

    def _until(self, what: str, seconds: float, probe: Callable[[], T | None]) -> T:
        value = self._child.until(probe, seconds)
        if value is None:
            raise Unavailable(f"the server to measure did not {what}: {self._child.log.last_words()}")
        return value

    def _is_ready(self, probe: str) -> bool:
        self._refuse_failed_models()
        return _answers(probe)

    def _refuse_failed_models(self) -> None:
        if self._child.log.first_of("model failed to load"):
            raise Unavailable(f"the server to measure cannot load its model: {self._child.log.last_words()}")

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


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
