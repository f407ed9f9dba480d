"""Every answer carries ``x-request-id``: the caller's when it is harmless, otherwise a fresh one.

Anthropic's clients look for it in ``request-id``, so their routes have that too.
"""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.errors import dialect_of
from podium.api.record import RequestRecord, attach
from podium.core.ids import accept_request_id

HEADER = b"x-request-id"
ANTHROPIC_HEADER = b"request-id"


class RequestId:
    """Opens the request's record and echoes its id on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a record; answer with its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = accept_request_id(_given(scope))
        attach(scope, RequestRecord(request_id=request_id, method=scope["method"]))
        structlog.contextvars.bind_contextvars(request_id=request_id)
        encoded = request_id.encode("ascii")
        own = [(HEADER, encoded)]
        if dialect_of(scope["path"]) == "anthropic":
            own.append((ANTHROPIC_HEADER, encoded))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            return bytes(value).decode("latin-1")
    return None
