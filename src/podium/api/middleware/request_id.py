"""Every answer carries ``x-request-id``: the caller's when it is harmless, otherwise a fresh one.

Anthropic's clients look for it in ``request-id``, so their routes have that too. ``traceresponse`` names the trace and
the server's span in it: the caller's trace, where ``traceparent`` named one.
"""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.errors import dialect_of
from podium.api.record import ARRIVED, RequestRecord, attach
from podium.core.ids import accept_request_id
from podium.core.trace_context import TraceContext, continue_trace

HEADER = b"x-request-id"
ANTHROPIC_HEADER = b"request-id"
TRACE_HEADER = b"traceresponse"


class RequestId:
    """Opens the request's record and echoes its id on every answer, errors included."""

    def __init__(self, app: ASGIApp, trace_ratio: float = 0.0) -> None:
        self.app = app
        self.trace_ratio = trace_ratio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a record; answer with its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = accept_request_id(_given(scope, HEADER))
        trace = _trace(scope, self.trace_ratio)
        arrived = scope.get(ARRIVED, time.monotonic())
        attach(scope, RequestRecord(request_id, trace, method=scope["method"], started_monotonic_seconds=arrived))
        names = {"request_id": request_id, "trace_id": trace.trace_id, "span_id": trace.span_id}
        structlog.contextvars.bind_contextvars(**names)
        encoded = request_id.encode("ascii")
        own = [(HEADER, encoded), (TRACE_HEADER, trace.header.encode("ascii"))]
        if dialect_of(scope["path"]) == "anthropic":
            own.append((ANTHROPIC_HEADER, encoded))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.unbind_contextvars(*names)


def _trace(scope: Scope, ratio: float) -> TraceContext:
    return continue_trace(_given(scope, b"traceparent"), _given(scope, b"tracestate") or "", ratio=ratio)


def _given(scope: Scope, header: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == header:
            return bytes(value).decode("latin-1")
    return None
