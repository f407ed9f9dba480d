"""Row ``junk``: names, paths and methods that nobody configured leave the number of series as it is."""

from __future__ import annotations

import asyncio

import uvloop

from benchmarks.loopback.connection import Broken, Connection
from benchmarks.loopback.http_message import post
from benchmarks.loopback.podium_server import Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "junk"
REQUESTS, QUICK_REQUESTS = 100_000, 600
STREAMS = 8


def measure(around: Surroundings) -> None:
    """A few of each kind first, whose series are configured outcomes; then very many."""
    requests = QUICK_REQUESTS if around.quick else REQUESTS
    before = around.quiet()
    with podium_server(Wish(ROW), around) as server:
        uvloop.run(_all(server.port, STREAMS * 6, "first"))
        first = uvloop.run(_series(server.admin_port))
        sent = uvloop.run(_all(server.port, requests, "then"))
        last = uvloop.run(_series(server.admin_port))
    around.record(ROW, values={"requests": sent, "series_before": first, "series_after": last}, before=before)


async def _all(port: int, requests: int, word: str) -> int:
    async with asyncio.TaskGroup() as group:
        each = requests // STREAMS
        loops = [
            group.create_task(_some(port, each, f"{word}-{stream}"), name=f"junk {stream}") for stream in range(STREAMS)
        ]
    return sum(loop.result() for loop in loops)


async def _some(port: int, requests: int, word: str) -> int:
    connection = await Connection.open(port)
    for number in range(requests):
        name = f"{word}-{number}"
        try:
            await connection.ask(_junk(port, name, number % 3))
        except Broken:  # a method that no server knows may cost the connection
            connection = await Connection.open(port)
    connection.close()
    return requests


def _junk(port: int, name: str, kind: int) -> bytes:
    if kind == 0:
        return post(port, "/v1/completions", {"model": name, "prompt": "x"})
    if kind == 1:
        return post(port, f"/{name}/admin.php", {})
    method = "".join(character for character in name.upper() if character.isalnum())
    return post(port, "/v1/completions", {"model": name}).replace(b"POST", method.encode(), 1)


async def _series(port: int) -> int:
    connection = await Connection.open(port)
    answer = await connection.ask(f"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
    connection.close()
    return sum(1 for line in answer.body.splitlines() if line and not line.startswith(b"#"))
