"""A kept HTTP/1.1 connection without an event loop, for timing one request at a time."""

from __future__ import annotations

import socket
from typing import Self

from benchmarks.loopback.http_message import HEAD_END, Answer, read_head

ANSWER_SECONDS = 30.0
READ_BYTES = 65536


class BlockingConnection:
    """A context manager; open when entered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its whole answer."""
        self._socket.sendall(request)
        received = self._read()
        while HEAD_END not in received:
            received += self._read()
        head, _, rest = received.partition(HEAD_END)
        answer, body = read_head(head)
        pieces = [body.feed(rest)]
        while not body.ended:
            pieces.append(body.feed(self._read()))
        answer.body = b"".join(pieces)
        return answer

    def _read(self) -> bytes:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("closed before the end of the answer")
        return data


def ask_once(port: int, request: bytes) -> Answer:
    """One request on a connection of its own."""
    with BlockingConnection(port) as connection:
        return connection.ask(request)
