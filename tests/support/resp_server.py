"""A server that speaks Redis' protocol, and answers exactly what a test tells it, lies of every kind included."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

SOCKET_SECONDS = 10.0
WELCOME = b"%1\r\n$5\r\nproto\r\n:3\r\n"

Behaviour = Callable[[socket.socket, list[bytes]], None]


@dataclass
class RespServer:
    """Welcomes every connection with ``welcome``, then gives each command to ``behaviour``. A context manager.

    ``hung_up`` counts connections that the client has ended while the server still wanted to write or read.
    """

    behaviour: Behaviour
    welcome: bytes = WELCOME
    commands: list[list[bytes]] = field(default_factory=list)
    connections: int = 0
    hung_up: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name="resp-server")
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._open:
            with contextlib.suppress(OSError):  # it may be closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed: the test is over
            connection.settimeout(SOCKET_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="resp-connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while (command := _command(stream)) is not None:
                    if command[0] == b"HELLO":
                        connection.sendall(self.welcome)
                        continue
                    self.commands.append(command)
                    self.behaviour(connection, command)
            except (OSError, ValueError):
                pass  # closed by the client while the behaviour wrote, or the test is over
            self.hung_up += 1


def _command(stream: Any) -> list[bytes] | None:
    head = stream.readline()
    if not head:
        return None
    return [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]


def bulk(data: bytes) -> bytes:
    """``data`` as one answer."""
    return b"$%d\r\n%b\r\n" % (len(data), data)
