"""A server that runs elsewhere, as far as a monitor sees it: two GPUs that take 250 W together, and no requests."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec

from podium.protocols.recent_requests import RecentRequestsAnswer
from podium.telemetry.gpus import GpuReading
from podium.telemetry.metrics import ServerMetrics

GIGABYTE = 1_000_000_000
WATTS = (100.0, 150.0)
NO_REQUESTS = msgspec.json.encode(RecentRequestsAnswer(window_seconds=600.0, slowest=[], newest=[]))


class FarReplica:
    """Answers at ``address`` while the block runs. ``speaks`` False: it answers garbage."""

    def __init__(self) -> None:
        self.speaks = True
        self._metrics = ServerMetrics(list, version="1", gpus=self._gpus)
        replica = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = replica.page(self.path) if replica.speaks else b"<html>"
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self._thread = threading.Thread(target=self._server.serve_forever, name="far replica")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """``http://host:port``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def page(self, path: str) -> bytes:
        """What it says at a path."""
        if path == "/metrics":
            return self._metrics.exposition().body
        return NO_REQUESTS if path == "/requests/recent" else b"{}"

    def _gpus(self) -> list[GpuReading]:
        now = time.monotonic()
        return [
            GpuReading(number, 60 * GIGABYTE, 80 * GIGABYTE, 0.5, watts * now, 0) for number, watts in enumerate(WATTS)
        ]
