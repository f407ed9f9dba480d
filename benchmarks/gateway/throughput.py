"""Row ``throughput``: requests a second through the gateway on one core, beside LiteLLM's proxy."""

from __future__ import annotations

import contextlib
import statistics
from typing import Any

from benchmarks.gateway.latency import GATEWAY_CORE, OTHER_CORE
from benchmarks.gateway.stack import BODY, PATH, gateway, server
from benchmarks.loopback import litellm_proxy, wrk
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.machine import CpuMeter, versions
from benchmarks.serving.server_process import free_port

ROW = "throughput"
ROUNDS = 3
SECONDS = 6
WARM_SECONDS = 1


def measure(around: Surroundings) -> None:
    """Gateway (Envoy and its controller) and LiteLLM in turns on one core; wrk and the server on the other."""
    wrk.program()
    rounds, seconds = (1, 2) if around.quick else (ROUNDS, SECONDS)
    port = free_port()
    with contextlib.ExitStack() as stack:
        echo = stack.enter_context(server(ROW, port, around, core=OTHER_CORE))
        ours = stack.enter_context(gateway(ROW, {"blue": port}, around, core=GATEWAY_CORE))
        process, theirs = stack.enter_context(litellm_proxy.litellm_proxy(port, GATEWAY_CORE, around, cached=False))
        peers = {"podium": ours.port, "litellm": theirs, "direct": port}
        pids = {"podium": ours.process.pid, "litellm": process.pid, "server": echo.pid}
        for at in peers.values():
            _load(at, WARM_SECONDS, around)
        before = around.quiet()
        found = [_round(name, at, seconds, pids, around) for _ in range(rounds) for name, at in peers.items()]
    around.record(
        ROW,
        values=_medians(found),
        rounds=found,
        before=before,
        parameters={
            "connections": wrk.CONNECTIONS,
            "seconds": seconds,
            "wrk": wrk.version(),
            "litellm": versions(litellm_proxy.python(around), ("litellm", "uvicorn", "uvloop", "httptools")),
        },
    )


def _load(port: int, seconds: int, around: Surroundings) -> dict[str, float]:
    target = wrk.Target(port, PATH, [BODY], litellm_proxy.KEY)
    return wrk.run(target, wrk.Load(seconds, OTHER_CORE, around.work / "wrk.lua"))


def _round(name: str, port: int, seconds: int, pids: dict[str, int], around: Surroundings) -> dict[str, Any]:
    meter = CpuMeter(pids)
    figures = _load(port, seconds, around)
    if figures["not_2xx"] or figures["broken"]:
        raise RuntimeError(f"{name}: not every answer was 200: {figures}")
    return {"peer": name, **figures, "cpu_seconds": meter.stop()}


def _medians(found: list[dict[str, Any]]) -> dict[str, float]:
    rate = "requests_per_second"
    of = {name: [one[rate] for one in found if one["peer"] == name] for name in ("podium", "litellm", "direct")}
    ratios = [ours / theirs for ours, theirs in zip(of["podium"], of["litellm"], strict=True)]
    return {
        **{f"{name}_{rate}": statistics.median(rates) for name, rates in of.items()},
        "ratio": statistics.median(ratios),
    }
