"""Servers behind a gateway that fail as they are told, and clients that ask all the time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass
class Upstream:
    """One server. ``bad_of_ten``: how many of ten requests are answered with 500. Unready, its check fails.

    ``ends``: what it reports of its answers, as a Podium server does; empty: nothing.
    """

    name: str
    port: int = 0
    bad_of_ten: int = 0
    ready: bool = True
    seconds: float = 0.0
    ends: str = ""
    requests: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def upstream(name: str, *, bad_of_ten: int = 0) -> Iterator[Upstream]:
    """A server on a free port until the block ends."""
    one = Upstream(name, bad_of_ten=bad_of_ten)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200 if one.ready else 503)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            one.requests += 1
            time.sleep(one.seconds)
            self._answer(500 if next(one.numbers) % 10 < one.bad_of_ten else 200)

        def _answer(self, status: int) -> None:
            payload = one.name.encode()
            if one.ends and self.command == "POST" and status == HTTPStatus.OK:
                self._stream(payload)
                return
            self.send_response(status)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def _stream(self, payload: bytes) -> None:
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            report = f"x-podium-answer: {one.ends}; tokens=5; seconds=0.1\r\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(payload), payload, report))

        def log_message(self, *_: object) -> None:
            """Tests ask the server, not a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        one.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"upstream {name}")
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Crowd:
    """What clients got: statuses in their order, and which server answered each user last."""

    statuses: list[int] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[int]:
        """Everything but 200."""
        return [status for status in self.statuses if status != 200]


@contextmanager
def crowd(url: str, *, per_second: float, users: int = 0) -> Iterator[Crowd]:
    """Clients that send so many requests a second until the block ends. ``users``: how many names they use."""
    seen, stop = Crowd(), threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=30) as client:
            for number in itertools.count():
                if stop.wait(1 / per_second):
                    return
                user = f"user-{number % users}" if users else None
                headers = {"x-podium-user": user} if user else {}
                answer = client.post(f"{url}/v1/completions", json={"prompt": "x"}, headers=headers)
                seen.statuses.append(answer.status_code)
                if user:
                    seen.homes[user] = answer.text

    thread = threading.Thread(target=ask, name="crowd")
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
