"""HTTP/1.1 requests as bytes, and answers out of bytes: no more than the servers here say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

HEAD_END = b"\r\n\r\n"


def post(port: int, path: str, body: Mapping[str, Any], *, key: str = "", headers: Mapping[str, str] = {}) -> bytes:
    """A whole POST of JSON, on a connection that is kept."""
    content = json.dumps(body, separators=(",", ":")).encode()
    fields = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    return _head("POST", path, port, fields, key) + content


def get(port: int, path: str, *, key: str = "") -> bytes:
    """A whole GET, on a connection that is kept."""
    return _head("GET", path, port, {}, key)


def _head(method: str, path: str, port: int, fields: Mapping[str, str], key: str) -> bytes:
    authorization = {"authorization": f"Bearer {key}"} if key else {}
    lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in {**authorization, **fields}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Answer:
    """An answer: ``fields`` by lower-case name."""

    status: int
    fields: dict[str, str]
    body: bytes = b""

    @property
    def cache(self) -> str:
        """What it says of the response cache; empty for nothing."""
        return self.fields.get("x-podium-cache", "")

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Body(Protocol):
    """Takes bytes as they come."""

    ended: bool

    def feed(self, data: bytes) -> bytes:
        """What of the body is new."""


class SizedBody:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length

    def feed(self, data: bytes) -> bytes:
        """See ``Body``."""
        self._left -= len(data)
        self.ended = self._left <= 0
        return data


class ChunkedBody:
    """A body in chunks, each given on when it is whole."""

    def __init__(self) -> None:
        self._buffer = b""
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """See ``Body``."""
        self._buffer += data
        found = []
        while not self.ended and (chunk := self._take()) is not None:
            self.ended = not chunk
            found.append(chunk)
        return b"".join(found)

    def _take(self) -> bytes | None:
        line, mark, rest = self._buffer.partition(b"\r\n")
        if not mark:
            return None
        size = int(line, 16)
        if len(rest) < size + 2:
            return None
        self._buffer = rest[size + 2 :]
        return rest[:size]


def read_head(head: bytes) -> tuple[Answer, Body]:
    """An answer without its body, and what reads that."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    chunked = fields.get("transfer-encoding", "") == "chunked"
    body: Body = ChunkedBody() if chunked else SizedBody(int(fields.get("content-length", "0")))
    return Answer(int(first.split(" ", 2)[1]), fields), body
