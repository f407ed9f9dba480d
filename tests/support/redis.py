"""A real redis-server for a test: its own port and folder, ready when the body begins, gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from support.ports import free_port
from support.require import require_program

START_SECONDS = 10.0


@dataclass
class RedisServer:
    """A running server. ``stop``/``go_on`` freeze and thaw it; ``client`` is a synchronous one for assertions."""

    process: subprocess.Popen[bytes]
    port: int
    user: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5.0, username=self.user, password=self.password)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(
    *options: str, port: int | None = None, user: str | None = None, password: str | None = None
) -> Iterator[RedisServer]:
    """Start one without persistence; ``options`` such as ``"--maxmemory", "2mb"``. Killed at the end, frozen or not.

    ``user`` and ``password`` are those that ``client`` comes with.
    """
    program = require_program("redis-server")
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", *options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            server = RedisServer(process, port, user, password)
            try:
                _wait_until_it_answers(server)
                yield server
            finally:
                server.kill()


def _wait_until_it_answers(server: RedisServer) -> None:
    end = time.monotonic() + START_SECONDS
    with server.client() as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return
