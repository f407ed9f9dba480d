"""A real HTTPS server on 127.0.0.1 with a certificate of its own making."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.certificates import self_signed

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class TlsServer:
    """Answers every GET by ``answer``, which the test may change; ``ca_file`` is what to trust it by."""

    answer: Answer
    ca_file: Path
    url: str = ""
    paths: list[str] = field(default_factory=list)


def document(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer with ``body``."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


@contextmanager
def tls_server(folder: Path, answer: Answer) -> Iterator[TlsServer]:
    """Run one until the block ends; its files are put into ``folder``."""
    certificate, key = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    running = TlsServer(answer, certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.paths.append(self.path)
            running.answer(self)

        def log_message(self, *_: object) -> None:
            """Tests read the paths, not a log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up; that is what some tests want."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="tls-server")
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
