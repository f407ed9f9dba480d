"""Row ``ttft``: the time to the first token as the server tells it, beside what a client saw, request by request."""

from __future__ import annotations

import asyncio
import json
import time

import uvloop

from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.podium_server import MODEL, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings
from podium.telemetry import table
from podium.testing.accounts import Accounts

ROW = "ttft"
STREAMS = 4
REQUESTS, QUICK_REQUESTS = 1_000, 60


def measure(around: Surroundings) -> None:
    """Four streams at a time; the server's figures are those of its log, joined by request id."""
    requests = QUICK_REQUESTS if around.quick else REQUESTS
    before = around.quiet()
    with podium_server(Wish(ROW, engine={"token_interval_seconds": 0.02}), around) as server:
        seen = uvloop.run(_all(server.port, requests))
        page = uvloop.run(_page(server.admin_port))
    told = _told(around)
    pairs = [(told[name], seconds) for name, seconds in seen.items() if name in told]
    accounts = Accounts()
    accounts.read(page)
    name = table.TIME_TO_FIRST_TOKEN.name
    mean = accounts.last[f"{name}_sum"] / accounts.last[f"{name}_count"]
    around.record(
        ROW,
        values={
            "requests": len(pairs),
            "server_p50_ms": 1000 * _quantile([pair[0] for pair in pairs], 0.5),
            "client_p50_ms": 1000 * _quantile([pair[1] for pair in pairs], 0.5),
            "apart_p99_ms": 1000 * _quantile([client - server for server, client in pairs], 0.99),
            "histogram_mean_ms": 1000 * mean,
            "client_mean_ms": 1000 * sum(pair[1] for pair in pairs) / len(pairs),
        },
        before=before,
    )


async def _all(port: int, requests: int) -> dict[str, float]:
    seen: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        for stream in range(STREAMS):
            group.create_task(_some(port, stream, requests // STREAMS, seen), name=f"stream {stream}")
    return seen


async def _some(port: int, stream: int, requests: int, seen: dict[str, float]) -> None:
    connection = await Connection.open(port)
    for number in range(requests):
        name = f"ttft-{stream}-{number}"
        first: list[float] = []

        def note(_: Answer, new: bytes, first: list[float] = first) -> None:
            if not first and b'"text":"' in new and b'"text":""' not in new:
                first.append(time.perf_counter())

        body = {"model": MODEL, "prompt": f"{name} says", "max_tokens": 4, "stream": True}
        request = post(port, "/v1/completions", body, headers={"x-request-id": name})
        began = time.perf_counter()
        await connection.ask(request, note)
        seen[name] = first[0] - began
    connection.close()


async def _page(port: int) -> str:
    connection = await Connection.open(port)
    request = f"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
    answer = await connection.ask(request)
    connection.close()
    return answer.body.decode()


def _told(around: Surroundings) -> dict[str, float]:
    """Times to the first token by request id, from the server's log."""
    lines = (around.work / f"{ROW}.log").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{") and '"ttft_seconds"' in line]
    return {record["request_id"]: record["ttft_seconds"] for record in records if record["ttft_seconds"] is not None}


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
