"""One HTTP/1.1 connection of the load generator: stamps at the read, as little work as possible there.

Only the HTTP framing is read here, by a parser in C, because the end of an answer must be known to use the connection
again. Events and JSON wait until the run is over (``reading.py``).
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import httptools

from podium.bench.dialect import Dialect
from podium.bench.events import EventSplitter
from podium.bench.exchange import Exchange
from podium.bench.record import Failure

monotonic = time.monotonic
STALE_SECONDS = 1.0  # idle for longer: the server may have been closing it just when the request was sent


class Owner(Protocol):
    """Who gets connections and exchanges back."""

    def finished(self, exchange: Exchange, connection: Connection, *, reusable: bool) -> None:
        """The exchange has ended, well or not."""

    def stale(self, exchange: Exchange, connection: Connection) -> None:
        """A used connection was closed before anything of the answer came: to be sent on a new one."""

    def closed(self, connection: Connection) -> None:
        """An idle connection is gone."""


class Connection(asyncio.Protocol):
    """At most one exchange at a time."""

    def __init__(self, owner: Owner, dialect: Dialect) -> None:
        self._owner = owner
        self._dialect = dialect
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._stamp = 0.0
        self._used = False
        self._has_length = False  # of the body; else it ends with the connection
        self._idle_since = monotonic()
        self._was_stale = False
        self._watch: EventSplitter | None = None
        self._tokens_seen = 0
        self.exchange: Exchange | None = None
        self.pending = b""  # the request, in case it must be sent again on a new connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self._transport = transport  # type: ignore[assignment]  # a TCP or TLS transport is a Transport

    def send(self, exchange: Exchange, data: bytes) -> None:
        """Write a request. The end comes by ``Owner.finished`` or ``Owner.stale``."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._owner.stale(exchange, self)
            return
        self.exchange = exchange
        self._was_stale = self._used and monotonic() - self._idle_since > STALE_SECONDS
        self._used = True
        self._parser = httptools.HttpResponseParser(self)
        self._watch = EventSplitter() if exchange.cancel_after_tokens is not None else None
        self._tokens_seen = 0
        self._has_length = False
        exchange.pieces = []
        exchange.bytes_sent = len(data)
        exchange.sent_at = monotonic()
        transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Stamp, then split into head and body."""
        stamp = monotonic()
        exchange = self.exchange
        if exchange is None:
            self.abort()  # bytes that nobody asked for: this connection cannot be trusted
            return
        self._stamp = exchange.last_read_at = stamp
        if exchange.first_read_at is None:
            exchange.first_read_at = stamp
        exchange.bytes_received += len(data)
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]  # set with the exchange
        except httptools.HttpParserError as error:
            self._end(Failure.NOT_HTTP, str(error))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        exchange = self.exchange
        if exchange is None:
            return
        lower = name.lower()
        if lower == b"content-type":
            exchange.event_stream = value.lower().startswith(b"text/event-stream")
        elif lower in {b"content-length", b"transfer-encoding"}:
            self._has_length = True
        elif lower == b"content-encoding":
            exchange.content_encoding = value.decode("latin-1")[:32]
        elif lower == b"x-request-id":
            exchange.server_request_id = value.decode("latin-1")[:128]
        elif lower == b"x-podium-cache":
            exchange.cache = value.decode("latin-1")[:32]
        elif lower == b"server-timing":
            exchange.server_timing = value.decode("latin-1")[:512]

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        exchange = self.exchange
        if exchange is not None and self._parser is not None:
            exchange.headers_at = self._stamp
            exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Called by the parser for each piece of the body."""
        exchange = self.exchange
        if exchange is None:
            return
        exchange.pieces.append((self._stamp, body))
        if self._watch is not None:
            self._count(exchange, body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        exchange, parser = self.exchange, self._parser
        if exchange is None or parser is None:
            return
        if exchange.status is not None and exchange.status < 200:
            return  # 1xx: the answer is still to come
        exchange.complete = True
        self._finish(exchange, reusable=parser.should_keep_alive())

    def eof_received(self) -> None:
        """The server has said all; ``connection_lost`` follows. It is the end of a body whose length nobody told."""
        exchange = self.exchange
        if exchange is not None and exchange.headers_at is not None and not self._has_length:
            exchange.complete = True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone; its exchange ends with it."""
        self._transport = None
        exchange = self.exchange
        if exchange is None:
            self._owner.closed(self)
        elif exchange.first_read_at is None and self._was_stale:
            self.exchange = None
            self._owner.stale(exchange, self)
        elif exchange.first_read_at is None or exchange.headers_at is None:
            self._end(Failure.RESET, type(error).__name__ if error else "closed without an answer")
        else:
            self._end(None, "")  # whether it was whole is seen when it is read

    def fail(self, failure: Failure, detail: str) -> None:
        """End the exchange from this side, with a reason."""
        self._end(failure, detail)

    def leave_unfinished(self) -> None:
        """End the exchange because the run is over."""
        if self.exchange is not None:
            self.exchange.unfinished = True
            self._end(None, "")

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _count(self, exchange: Exchange, body: bytes) -> None:
        for name, data in self._watch.feed(body):  # type: ignore[union-attr]  # set with the exchange
            try:
                frame = self._dialect.read(name, data)
            except ValueError:
                self._watch = None
                return  # malformed: the reader will say so
            self._tokens_seen += bool(frame.text or frame.reasoning)
        if self._tokens_seen >= (exchange.cancel_after_tokens or 0):
            exchange.cancelled = True
            self._end(None, "")

    def _end(self, failure: Failure | None, detail: str) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        exchange.failure, exchange.detail = failure, detail[:200]
        self._finish(exchange, reusable=False)

    def _finish(self, exchange: Exchange, *, reusable: bool) -> None:
        stopped_here = exchange.unfinished or exchange.failure is not None or exchange.cancelled
        exchange.ended_at = monotonic() if stopped_here or exchange.last_read_at is None else exchange.last_read_at
        self.exchange = None
        self._watch = None
        self._idle_since = monotonic()
        if not reusable:
            self.abort()
        self._owner.finished(exchange, self, reusable=reusable)
