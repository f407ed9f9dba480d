"""Trailers: fields that follow a chunked answer, for somebody who asked for them with ``TE: trailers``.

uvicorn writes none. The last thing that it writes of such an answer is the empty chunk; the trailer goes into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.types import Scope

TRAILER = "podium.trailer"
"""ASGI extension (a function of name and value): call it before the last piece of the body is sent."""

_END = b"0\r\n\r\n"


class TrailingTransport:
    """A transport that puts one trailer into the end of a chunked answer. Everything else passes unchanged."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._field: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def trailer(self, name: str, value: str) -> None:
        """From the next write on, which has to be the answer's last."""
        self._field = f"{name}: {value}\r\n".encode("ascii")

    def write(self, data: bytes) -> None:
        """Write, with the trailer where there is one."""
        if self._field is not None and data.endswith(_END):
            data = data[:-2] + self._field + b"\r\n"
            self._field = None
        self._transport.write(data)


def asks_for_trailers(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether ``TE`` names them (RFC 9110, section 10.1.4)."""
    values = [value for name, value in headers if name == b"te"]
    return any(part.strip().lower() == b"trailers" for value in values for part in value.split(b","))


def send_trailer(scope: Scope, name: str, value: str) -> None:
    """Let a trailer follow the next, last piece of the answer, where somebody asked for it."""
    if (add := scope.get("extensions", {}).get(TRAILER)) is not None:
        add(name, value)
