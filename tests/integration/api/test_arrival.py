"""When a request arrives: its headers were read from the socket, whatever the server did before it looked at them."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until

SLOW_SECONDS = 0.3  # ten pieces, 30 ms each


def post(request_id: str, tokens: int) -> bytes:
    body = json.dumps({"model": "echo", "prompt": "one piece a byte", "max_tokens": tokens}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nx-request-id: {request_id}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def logged(server: ServerProcess, request_id: str) -> dict[str, float]:
    def find() -> dict[str, float] | None:
        found = (one for one in list(server.log) if one.get("request_id") == request_id and one["event"] == "request")
        return next(found, None)

    return until(f"log {request_id}", find)


def test_a_request_that_waited_in_the_server_for_the_one_before_has_waited() -> None:
    with server_process() as server:
        address = urlsplit(server.traffic)
        with socket.create_connection((address.hostname, address.port), timeout=30.0) as connection:
            connection.sendall(post("first", 12) + post("second", 1))
            second = logged(server, "second")
    assert second["e2e_seconds"] > SLOW_SECONDS
    assert second["ttft_seconds"] > SLOW_SECONDS
