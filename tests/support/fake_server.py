"""A real HTTP server with canned answers, for tests of programs that talk to one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Canned:
    """One answer. ``events`` makes it a stream of server-sent events, ended by ``[DONE]`` if ``done``."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    events: list[Any] | None = None
    done: bool = True

    def payload(self) -> bytes:
        """The bytes of the body."""
        if self.events is None:
            return json.dumps(self.body).encode()
        frames = [json.dumps(event) for event in self.events] + (["[DONE]"] if self.done else [])
        return "".join(f"data: {frame}\n\n" for frame in frames).encode()


@dataclass
class FakeServer:
    """Answers by ``"GET /path"``; every request is kept: (route, decoded body), and its headers by small names.

    Of a list each answer is given once, the last one again and again.
    """

    answers: dict[str, Canned | list[Canned]]
    url: str = ""
    port: int = 0
    requests: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def next_answer(self, route: str) -> Canned:
        """What this request gets."""
        found = self.answers.get(route, Canned({"detail": "no such route"}, status=404))
        if isinstance(found, Canned):
            return found
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def fake_server(answers: Mapping[str, Canned | list[Canned]]) -> Iterator[FakeServer]:
    """Run a fake server on a free port of 127.0.0.1 until the block ends."""
    fake = FakeServer(dict(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            given = self.rfile.read(length)
            route = f"{self.command} {self.path}"
            fake.requests.append((route, json.loads(given) if given else None))
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            canned = fake.next_answer(route)
            payload = canned.payload()
            self.send_response(canned.status)
            for name, value in {"content-type": "application/json", **canned.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Tests read the requests, not a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        fake.port = server.server_address[1]
        fake.url = f"http://127.0.0.1:{fake.port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="fake-server")
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
