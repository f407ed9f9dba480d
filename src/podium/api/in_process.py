"""One HTTP request to our own application, without a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.types import ASGIApp

from podium.api.principal import act_for
from podium.api.receive import receiving
from podium.core.identity import Principal

Header = tuple[bytes, bytes]
Piece = Callable[[bytes], Awaitable[None]]
_OK = 200


@dataclass
class LocalAnswer:
    """A whole answer; header names are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def error(self) -> str:
        """The words of an error."""
        try:
            return str(msgspec.json.decode(self.body)["error"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return "The server failed on this call."


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Sequence[Header],
    body: bytes = b"",
    *,
    piece: Piece | None = None,
    for_whom: Principal | None = None,
) -> LocalAnswer:
    """Everything on the way is as for a request from outside: authentication, limits, log, metrics, errors.

    ``piece`` takes the body of a good answer as it comes, instead of the answer. ``for_whom``: it has no credentials,
    and is asked in the background for somebody who was known earlier. Cancelling is as if the client hung up.
    """
    answer = LocalAnswer()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        elif piece is not None and answer.status == _OK:
            await piece(message.get("body", b""))
        else:
            answer.body += message.get("body", b"")

    scope = _scope(method, path, [*headers, (b"content-length", b"%d" % len(body))])
    if for_whom is not None:
        act_for(scope, for_whom)
    await app(scope, receiving(body), send)
    return answer


def _scope(method: str, path: str, headers: list[Header]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
        "extensions": {},
    }
