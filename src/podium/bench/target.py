"""What a target needs to be asked, and the ways in which it cannot be."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import quote, urlsplit

from podium.bench.dialect import Dialect
from podium.bench.exchange import Exchange
from podium.bench.plan import Target, Timeouts
from podium.bench.record import Failure


def overdue(exchange: Exchange, now: float, timeouts: Timeouts) -> tuple[Failure, str] | None:
    """The timeout that the exchange has passed, if any."""
    if exchange.sent_at is None:
        return None
    if exchange.headers_at is None and now - exchange.sent_at > timeouts.headers:
        return Failure.HEADERS_TIMEOUT, f"nothing for {timeouts.headers:g} s"
    if now - exchange.sent_at > timeouts.total:
        return Failure.TIMEOUT, f"not over after {timeouts.total:g} s"
    if exchange.headers_at is not None and now - (exchange.last_read_at or now) > timeouts.stall:
        return Failure.STALLED, f"no byte for {timeouts.stall:g} s"
    return None


def connect_failure(error: OSError) -> tuple[Failure, str]:
    """Why there is no connection."""
    if isinstance(error, TimeoutError):
        return Failure.CONNECT_TIMEOUT, "no connection in time"
    if isinstance(error, ssl.SSLError):
        return Failure.TLS, str(error.reason or error)[:200]
    if isinstance(error, socket.gaierror):
        return Failure.NAME_UNKNOWN, str(error.strerror)
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return Failure.TLS, "the connection was closed in the handshake"
    return Failure.UNREACHABLE, str(error.strerror or type(error).__name__)[:200]


def where(target: Target) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(target.url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def tls_context(target: Target) -> ssl.SSLContext | None:
    """For https, with the operator's certificates where named."""
    if not target.url.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=target.ca_file)
    if not target.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def request_head(target: Target, dialect: Dialect) -> bytes:
    """All of the head up to the value of ``x-request-id``."""
    parts = urlsplit(target.url)
    path = dialect.path.replace("{model}", quote(target.model, safe=""))
    lines = [
        f"POST {parts.path.rstrip('/')}{path} HTTP/1.1",
        f"host: {parts.netloc.rpartition('@')[2]}",
        "content-type: application/json",
        f"accept: {'text/event-stream' if dialect.streams else 'application/json'}",
        *([] if target.allow_cached else ["cache-control: no-cache, no-store"]),
        *(f"{name}: {value}" for name, value in target.headers.items()),
        "x-request-id: ",
    ]
    return "\r\n".join(lines).encode("latin-1")
