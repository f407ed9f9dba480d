"""Where every exception of a request ends."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.answering import note_refusal
from podium.api.errors import body_of, dialect_of, headers_of, internal_error, outcome_of, status_of
from podium.api.record import record_of
from podium.api.refusals import of_router
from podium.core.errors import ClientDisconnected, PodiumError

_log = structlog.get_logger("podium.api")


class ErrorFunnel:
    """Turns exceptions into one shape of answer, with the request's id and nothing of the inside.

    An exception after the response has started is raised again: the server then closes the connection
    without a proper end, so no client takes the piece it got for the whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer what it raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except Exception as error:  # the request boundary: whatever a bug raises must not leave the server
            answer = error if isinstance(error, PodiumError) else of_router(error)
            if answer is None:
                _log.exception("unexpected error", error_type=type(error).__name__)
                answer = internal_error()
            if started:
                _note_broken(scope, answer)
                raise
            await answer_error(scope, send, answer)


def _note_broken(scope: Scope, error: PodiumError) -> None:
    record = record_of(scope)
    record.outcome = "cancelled" if isinstance(error, ClientDisconnected) else "stream_error"
    record.error_code = error.code


async def answer_error(scope: Scope, send: Send, error: PodiumError) -> None:
    """Answer with ``error`` in the dialect of the request's path. To a client that is gone, nothing is sent."""
    record = record_of(scope)
    record.outcome = outcome_of(error)
    record.error_code = error.code
    dialect = dialect_of(scope["path"])
    record.status = status_of(error, dialect)
    record.retry_after_seconds = error.retry_after_seconds
    note_refusal(record, error)
    if isinstance(error, ClientDisconnected):
        return
    body = body_of(error, dialect, record.request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *headers_of(error),
    ]
    await send({"type": "http.response.start", "status": record.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
