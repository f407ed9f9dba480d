"""Calling an ASGI application directly, message by message, so that nothing is buffered or smoothed over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

JSON_HEADERS = (("host", "test"), ("content-type", "application/json"))


@dataclass
class Answer:
    """What the application sent. ``complete``: it sent a proper end. ``raised``: what came out instead."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)
    complete: bool = False
    raised: BaseException | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.frames)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> list[Any]:
        """The data of each event; ``[DONE]`` as a string."""
        lines = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


@dataclass
class Client:
    """The other end: gives the body in ``pieces``, then waits; setting ``gone`` hangs up."""

    pieces: Sequence[bytes] = (b"",)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer = field(default_factory=Answer)
    first_frame: asyncio.Event = field(default_factory=asyncio.Event)
    on_frame: Callable[[bytes], Awaitable[None]] | None = None
    _given: int = 0

    async def receive(self) -> Message:
        if self._given < len(self.pieces):
            piece = self.pieces[self._given]
            self._given += 1
            return {"type": "http.request", "body": piece, "more_body": self._given < len(self.pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        body = message.get("body", b"")
        if body:
            self.answer.frames.append(body)
            self.first_frame.set()
        if self.on_frame is not None:
            await self.on_frame(body)
        self.answer.complete = not message.get("more_body", False)


def scope_of(method: str, path: str, headers: Sequence[tuple[str, str]], query: str = "") -> dict[str, Any]:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def exchange(app: ASGIApp, client: Client, scope: dict[str, Any]) -> Answer:
    """One request; an exception that leaves the application is kept in the answer."""
    try:
        await app(scope, client.receive, client.send)
    except Exception as error:  # noqa: BLE001 - the server's place: it would close the connection
        client.answer.raised = error
    return client.answer


async def call_async(
    app: ASGIApp,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Sequence[tuple[str, str]] | None = None,
    query: str = "",
) -> Answer:
    """One request with a whole body (bytes, or anything to be sent as JSON)."""
    text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    given = list(JSON_HEADERS if headers is None else headers)
    if text and not any(name in ("content-length", "transfer-encoding") for name, _ in given):
        given.append(("content-length", str(len(text))))
    return await exchange(app, Client([text]), scope_of(method, path, given, query))


def call(app: ASGIApp, method: str, path: str, body: Any = None, **options: Any) -> Answer:
    """``call_async`` in a loop of its own."""
    return asyncio.run(call_async(app, method, path, body, **options))
