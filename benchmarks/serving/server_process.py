"""A server under test: start it, wait until it is ready, end it with all its children."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

START_SECONDS = 400.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02


class ServerProcess:
    """A running server; a context manager that leaves nothing behind."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, ready: tuple[int, str], cwd: Path
    ) -> None:
        self.start_seconds = 0.0
        self._command = command
        self._environment = environment
        self._log = log
        self._ready = ready
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the server's first process."""
        assert self._process is not None, "the server was not started: this is a bug"
        return self._process.pid

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._cwd,
            )
        try:
            self._wait_ready(started)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for the whole group if that is not enough."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _wait_ready(self, started: float) -> None:
        port, path = self._ready
        while time.perf_counter() - started < START_SECONDS:
            assert self._process is not None, "this is a bug: called after the start"
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._command[0]} ended: see {self._log}\n{self._log.read_text()[-2000:]}")
            if answers(port, path):
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{self._command[0]} was not ready after {START_SECONDS:g} s: see {self._log}")


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
