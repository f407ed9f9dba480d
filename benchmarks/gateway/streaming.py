"""Row ``streaming``: how much later each token of a stream arrives through the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

import uvloop

from benchmarks.gateway.latency import GATEWAY_CORE, OTHER_CORE, on_core
from benchmarks.gateway.stack import BODY, PATH, gateway, server
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import free_port

ROW = "streaming"
ROUNDS = 5
STREAMS, TOKENS, INTERVAL_SECONDS = 16, 100, 0.02
_STAMP = re.compile(rb'"sent_ns":(\d+)')


def measure(around: Surroundings) -> None:
    """The same streams from the server itself and through the gateway, in turns."""
    rounds = 1 if around.quick else ROUNDS
    port = free_port()
    words = ("--stamped", "--tokens", str(TOKENS), "--interval", str(INTERVAL_SECONDS))
    found: dict[str, list[float]] = {"direct": [], "podium": []}
    with contextlib.ExitStack() as stack:
        stack.enter_context(server(ROW, port, around, *words, core=OTHER_CORE))
        ours = stack.enter_context(gateway(ROW, {"blue": port}, around, core=GATEWAY_CORE))
        stack.enter_context(on_core(OTHER_CORE))
        before = around.quiet()
        for number in range(2 * rounds):
            name, at = (("direct", port), ("podium", ours.port))[number % 2]
            found[name] += uvloop.run(_streams(at))
    figures = {name: milliseconds(lags) for name, lags in found.items()}
    values = {f"{name}_{kind}": figures[name][kind] for name in found for kind in ("p50_ms", "p99_ms")}
    values |= {
        f"added_{kind}": round(figures["podium"][kind] - figures["direct"][kind], 4) for kind in ("p50_ms", "p99_ms")
    }
    around.record(
        ROW,
        values=values,
        histograms_microseconds={name: histogram(lags) for name, lags in found.items()},
        before=before,
        parameters={"streams": STREAMS, "tokens_each": TOKENS, "interval_seconds": INTERVAL_SECONDS, "rounds": rounds},
    )


async def _streams(port: int) -> list[float]:
    lags: list[float] = []
    async with asyncio.TaskGroup() as group:
        for number in range(STREAMS):
            group.create_task(_stream(port, number, lags), name=f"stream {number}")
    if len(lags) != STREAMS * TOKENS:
        raise RuntimeError(f"{len(lags)} tokens came of {STREAMS * TOKENS}")
    return lags


async def _stream(port: int, number: int, lags: list[float]) -> None:
    await asyncio.sleep(INTERVAL_SECONDS * number / STREAMS)

    def note(_: Answer, new: bytes) -> None:
        now = time.monotonic_ns()
        lags.extend((now - int(stamp)) / 1e9 for stamp in _STAMP.findall(new))

    connection = await Connection.open(port)
    await connection.ask(post(port, PATH, {**BODY, "stream": True}), note)
    connection.close()
