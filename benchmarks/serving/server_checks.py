"""What the server is beside its speed: probes at saturation, time to ready, memory before and after."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from typing import Any

import psutil
import uvloop

from benchmarks.serving.client import Planned, http_post, load
from benchmarks.serving.machine import as_mapping, wait_until_quiet
from benchmarks.serving.peers import (
    PEERS,
    SERVED_NAME,
    HttpPeer,
    completion_body,
    podium_server,
)
from benchmarks.serving.raw_file import RawFile
from benchmarks.serving.server_process import ServerProcess
from benchmarks.serving.surroundings import Surroundings
from benchmarks.serving.timings import quantile
from benchmarks.serving.workloads import Prompts, Request

SATURATING_STREAMS = 64
PROBE_SECONDS = 10.0
PROBES_PER_SECOND = 200
STARTS = 5
SMALL_REQUESTS = 1000
CYCLES = 5
DEMO = "builtin:demo"
_HOST = "127.0.0.1"


def probe_at_saturation(around: Surroundings, raw: RawFile, quiet_seconds: float) -> None:
    """``/livez`` on the admin port, at a fixed rate on one kept connection, while 64 streams generate."""
    kind = PEERS["podium-int8"]
    source = around.models / "gpt2" / "int8"
    prompts = Prompts(around.models / "gpt2" / "hf")
    with podium_server(kind.podium_engine(), source, around, label="probes") as (_, port, admin_port):
        requests = prompts.streams("saturate", SATURATING_STREAMS, output_tokens=512)
        planned = [_planned(port, request) for request in requests]
        quiet = wait_until_quiet(quiet_seconds)
        seconds = uvloop.run(_probe_while_loaded(port, admin_port, planned))
    ordered = sorted(seconds)
    values = {
        "probes": len(ordered),
        "p50_seconds": quantile(ordered, 0.5),
        "p99_seconds": quantile(ordered, 0.99),
        "max_seconds": ordered[-1],
    }
    raw.add("probes", {"model": "gpt2", "workload": "livez", "values": values, "before": as_mapping(quiet)})


async def _probe_while_loaded(port: int, admin_port: int, planned: list[Planned]) -> list[float]:
    async with asyncio.TaskGroup() as group:
        streams = group.create_task(load(_HOST, port, planned), name="streams")
        await asyncio.sleep(1.0)  # until the prompts are in
        probes = group.create_task(_probe(admin_port), name="probes")
        seconds = await probes
        assert not streams.done(), "the streams ended before the probes did: more output is needed"
        streams.cancel()
    return seconds


async def _probe(admin_port: int) -> list[float]:
    """Seconds from the time a probe was due until its answer, so that a late probe counts as slow."""
    reader, writer = await asyncio.open_connection(_HOST, admin_port)
    request = f"GET /livez HTTP/1.1\r\nHost: {_HOST}:{admin_port}\r\n\r\n".encode()
    loop, seconds = asyncio.get_running_loop(), []
    started = loop.time()
    for number in range(int(PROBE_SECONDS * PROBES_PER_SECOND)):
        due = started + number / PROBES_PER_SECOND
        await asyncio.sleep(max(0.0, due - loop.time()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        seconds.append(loop.time() - due)
    writer.close()
    return seconds


def start_to_ready(around: Surroundings, raw: RawFile, quiet_seconds: float, starts: int = STARTS) -> None:
    """Process start to ready on the demo model, and the memory of the API process after 1,000 requests."""
    engine = {"kind": "auto"}
    for number in range(starts):
        quiet = wait_until_quiet(quiet_seconds)
        with podium_server(engine, DEMO, around, label="start") as (server, port, _):
            values: dict[str, float] = {"ready_seconds": server.start_seconds, "api_rss_bytes": float(_rss(server.pid))}
            if number == starts - 1:
                values |= _after_small_requests(server, port)
        raw.add("start", {"round": number + 1, "model": "demo", "values": values, "before": as_mapping(quiet)})


def _after_small_requests(server: ServerProcess, port: int) -> dict[str, float]:
    """1,000 streams of 8 tokens, 16 at a time."""
    for wave in range(SMALL_REQUESTS // 16 + 1):
        requests = [Request(tuple(range(100 + wave, 116 + wave)), 8) for _ in range(16)]
        peer = HttpPeer(server, port, lambda request: _planned(port, request))
        peer.run(requests)
    return {"api_rss_after_1000_bytes": float(_rss(server.pid)), "worker_rss_bytes": float(_worker_rss(server.pid))}


def load_and_unload(around: Surroundings, raw: RawFile, quiet_seconds: float, cycles: int = CYCLES) -> None:
    """Load, generate, unload by the routes; what the unload answer says, and what the operating system says."""
    kind = PEERS["podium-int8"]
    source = around.models / "gpt2" / "int8"
    prompts = Prompts(around.models / "gpt2" / "hf")
    wait_until_quiet(quiet_seconds)
    with podium_server(kind.podium_engine(), source, around, label="cycles", load="manual") as (server, port, _):
        for number in range(cycles):
            before = _tree_rss(server.pid)
            answer = _post(port, f"/models/{SERVED_NAME}/load")
            HttpPeer(server, port, lambda request: _planned(port, request)).run(prompts.streams(f"cycle-{number}", 16))
            loaded = _tree_rss(server.pid)
            memory = _post(port, f"/models/{SERVED_NAME}/unload")["memory"]
            after = _tree_rss(server.pid)
            values = {
                "load_seconds": float(answer["load_seconds"]),
                "told_before_bytes": memory["before_bytes"],
                "told_loaded_bytes": memory["loaded_bytes"],
                "told_after_bytes": memory["after_bytes"],
                "rss_before_bytes": before,
                "rss_loaded_bytes": loaded,
                "rss_after_bytes": after,
                "told_after_over_before": memory["after_bytes"] / memory["before_bytes"],
                "rss_after_over_before": after / before,
            }
            raw.add("cycle", {"round": number + 1, "model": "gpt2", "values": values})


def _planned(port: int, request: Request) -> Planned:
    payload = http_post(_HOST, port, "/v1/completions", completion_body(request))
    return Planned(request.at_seconds, payload, len(request.token_ids))


def _post(port: int, path: str) -> dict[str, Any]:
    request = urllib.request.Request(f"http://{_HOST}:{port}{path}", data=b"", method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - our own
        body: dict[str, Any] = json.load(answer)
    return body


def _rss(pid: int) -> int:
    rss: int = psutil.Process(pid).memory_info().rss
    return rss


def _worker_rss(pid: int) -> int:
    return sum(child.memory_info().rss for child in psutil.Process(pid).children(recursive=True))


def _tree_rss(pid: int) -> int:
    time.sleep(0.05)  # the kernel's counters lag a little behind an exit
    return _rss(pid) + _worker_rss(pid)
