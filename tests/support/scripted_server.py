"""An HTTP server over plain sockets that does exactly what a test tells it, errors of every kind included."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

SOCKET_SECONDS = 10.0
MODELS = {"object": "list", "data": [{"id": "far-model", "object": "model", "owned_by": "someone"}]}


@dataclass(frozen=True)
class Received:
    """One request as it arrived. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Behaviour = Callable[[socket.socket, Received], None]


@dataclass
class ScriptedServer:
    """Lists one model, and answers every POST by ``behaviour``. A context manager.

    Without ``keeps_alive`` a GET is the last request of its connection, and of the thread that serves it.
    """

    behaviour: Behaviour
    models: Any = field(default_factory=lambda: MODELS)
    keeps_alive: bool = True
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name="scripted-server")
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
    def base_url(self) -> str:
        """Up to and including ``/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def posted(self) -> list[Received]:
        """The generation requests."""
        return [request for request in self.requests if request.method == "POST"]

    def wait_hung_up(self, connection: socket.socket) -> None:
        """For behaviours: block until the client closes, then set ``hung_up``."""
        if connection.recv(1) == b"":
            self.hung_up.set()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed: the test is over
            connection.settimeout(SOCKET_SECONDS)
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="scripted-connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while (request := _receive(connection)) is not None:
                self.requests.append(request)
                if request.method == "GET":
                    reply(connection, 200, self.models, headers="" if self.keeps_alive else "connection: close\r\n")
                    if not self.keeps_alive:
                        return
                else:
                    self.behaviour(connection, request)
        except OSError:
            self.hung_up.set()  # the client closed while the behaviour wrote, or the test is over
        finally:
            connection.close()


def _receive(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        if not (more := connection.recv(65536)):
            return None
        body += more
    method, path, _ = first.split(" ")
    return Received(method, path, headers, json.loads(body) if body else None)


def reply(connection: socket.socket, status: int, body: Any, *, headers: str = "") -> None:
    """A complete JSON answer (or ``body`` as it is, when it is bytes)."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n{headers}\r\n"
    connection.sendall(head.encode() + content)


def begin_stream(connection: socket.socket) -> None:
    """The head of an event stream in chunks."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


def send(connection: socket.socket, *frames: Any) -> None:
    """All frames in one chunk; a frame is sent as it is when it is bytes, else as ``data:`` JSON."""
    data = b"".join(frame if isinstance(frame, bytes) else event(frame) for frame in frames)
    connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def end_stream(connection: socket.socket) -> None:
    """A proper end of the HTTP answer."""
    connection.sendall(b"0\r\n\r\n")


def event(frame: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(frame).encode() + b"\n\n"
