"""One HTTP/1.1 request as it comes over a connection: enough to hand it on unchanged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class ProxiedRequest:
    """The first line and all bytes of a request."""

    method: str
    path: str
    data: bytes


async def read_request(reader: asyncio.StreamReader) -> ProxiedRequest | None:
    """The next request; None when the connection ends before it is whole.

    Raises:
        ValueError: the head is no request, or its body comes in chunks, which the gateway does not send.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_body_bytes(head))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return ProxiedRequest(method, path, head + body)


def _body_bytes(head: bytes) -> int:
    headers = dict(line.lower().split(b":", 1) for line in head.strip().split(b"\r\n")[1:])
    if b"transfer-encoding" in headers:
        raise ValueError("a body in chunks; needed: content-length")
    return int(headers.get(b"content-length", b"0"))
