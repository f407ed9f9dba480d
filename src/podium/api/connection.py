"""uvicorn's HTTP/1.1 connection, with the limits that only a connection can keep.

An application sees a request when its headers are complete, so it cannot bound headers while they
arrive, nor the bytes around a body (chunk sizes, extensions, trailers), nor drop a client that does
not read. This class does, and it answers malformed HTTP in the same shape as every other error.
"""

from __future__ import annotations

import asyncio
import socket
import time
from functools import partial
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from podium.api.errors import body_of, status_of
from podium.api.record import ARRIVED
from podium.api.refusals import BodyTimeout, HeadersTooLarge, MalformedHttp
from podium.api.trailers import TRAILER, TrailingTransport, asks_for_trailers
from podium.api.unread_watch import STALLED, UnreadWatch
from podium.config.server import RequestLimits
from podium.core.errors import PodiumError
from podium.core.ids import new_id

_log = structlog.get_logger("podium.api")
FRAMING_FACTOR = 16
"""A body in one-byte chunks takes six bytes for one; more than this is not a body, it is an attack."""
FRAMING_BYTES = 64 * 1024
SEND_BUFFER_BYTES = 256 * 1024
"""Kernel memory for one slow reader. Left to itself the kernel takes megabytes, and reports a slow
reader's progress so seldom that it looks stalled."""


class Connection(HttpToolsProtocol):
    """One connection. See the module for what it adds."""

    def __init__(self, *args: Any, limits: RequestLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._in_headers = True
        self._bytes = 0
        self._content_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._read_at = 0.0
        self._unread: UnreadWatch | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first header block, and the watch for a client that does not read."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._unread = UnreadWatch(
            transport,
            seconds=self._limits.stalled_reader_seconds,
            is_growing=self._is_writing,
            drop=self._drop_unread,
        )
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_clock()
        if self._unread is not None:
            self._unread.stop()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True  # theirs tells the newest request only, which may be one sent ahead
            self._answering.message_event.set()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Most of what waited was read."""
        if self._unread is not None:
            self._unread.note_read()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Count, then parse."""
        self._read_at = time.monotonic()
        if self._in_headers and self._deadline is None:
            self._start_clock()
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_headers and self._bytes > self._limits.header_bytes:
            allowed = self._limits.header_bytes
            self._refuse(HeadersTooLarge(f"The headers are too large. At most {allowed} bytes are allowed."))
        elif self._bytes > FRAMING_FACTOR * max(self._content_bytes, self._limits.body_bytes) + FRAMING_BYTES:
            self._refuse(MalformedHttp("The body's framing takes far more bytes than its content."))

    def on_message_begin(self) -> None:
        """A place for what only a connection can say of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {}

    def on_headers_complete(self) -> None:
        """From here on the bytes are the body's."""
        self._in_headers = False
        self.scope[ARRIVED] = self._read_at  # type: ignore[literal-required]
        self._bytes = self._content_bytes = 0
        self._stop_clock()
        super().on_headers_complete()
        if len(self.pipeline) == 1:
            self.flow.resume_reading()  # or nobody would see that the client hangs up; the second one pauses it
        if self.cycle is not None and self.cycle.scope is self.scope and asks_for_trailers(self.headers):
            trailing = TrailingTransport(self.transport)
            self.cycle.transport = trailing  # type: ignore[assignment]
            self.scope["extensions"][TRAILER] = trailing.trailer  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Count what is content; how much there may be is the application's to say."""
        self._content_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next bytes are the next request's."""
        super().on_message_complete()
        self._in_headers = True
        self._bytes = 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - theirs says less than ours
        """Answer malformed HTTP."""
        self._refuse(MalformedHttp("This is not valid HTTP/1.1. Check the request line, the headers and the framing."))

    def _refuse(self, error: PodiumError) -> None:
        """Answer and close; in the middle of an answer, where nothing can be said, drop the connection."""
        self._stop_clock()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        request_id = new_id("req")
        body = body_of(error, "native", request_id)
        head = (
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            "x-content-type-options: nosniff\r\nx-should-retry: false\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status_of(error)] + head.encode("ascii") + body)
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _is_writing(self) -> bool:
        answering = self._answering
        return answering is not None and not answering.response_complete and not self.flow.write_paused

    def _drop_unread(self) -> None:
        _log.info("dropped a client that reads nothing", unread_bytes=self.transport.get_write_buffer_size())
        if self._answering is not None:
            self._answering.scope["extensions"][STALLED] = True  # type: ignore[assignment]
        self.transport.abort()

    def _start_clock(self) -> None:
        self._deadline = self.loop.call_later(self._limits.header_seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._bytes == 0:
            self.transport.close()
            return
        seconds = self._limits.header_seconds
        self._refuse(BodyTimeout(f"The headers did not arrive within {seconds:g} seconds."))


def connections(limits: RequestLimits) -> type[asyncio.Protocol]:
    """What ``uvicorn.Config(http=…)`` wants: connections that keep ``limits``."""
    return partial(Connection, limits=limits)  # type: ignore[return-value]
