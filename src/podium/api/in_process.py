"""One HTTP request to our own application, without a socket."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from podium.api.principal import act_for
from podium.api.receive import receiving
from podium.core.identity import Principal

Header = tuple[bytes, bytes]


@dataclass
class LocalAnswer:
    """A whole answer; header names are lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Sequence[Header],
    body: bytes = b"",
    *,
    for_whom: Principal | None = None,
) -> LocalAnswer:
    """Everything on the way is as for a request from outside: authentication, limits, log, metrics, errors.

    ``for_whom``: it has no credentials, and is asked in the background for somebody who was known earlier. Cancelling
    is as if the client hung up.
    """
    answer = LocalAnswer()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
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
