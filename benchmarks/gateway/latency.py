"""Row ``latency``: what the gateway adds to a short request at a steady rate, beside LiteLLM's proxy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import uvloop

from benchmarks.gateway.stack import gateway, server
from benchmarks.gateway.steady import Steady
from benchmarks.loopback import litellm_proxy
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.machine import versions
from benchmarks.serving.server_process import free_port

ROW = "latency"
WARM_SECONDS = 1.0
PEERS = ("direct", "podium", "litellm")
GATEWAY_CORE, OTHER_CORE = 0, 1


@dataclass(frozen=True)
class Rate:
    """A load; ``rounds`` of ``seconds`` for each of the peers."""

    requests_per_second: int
    connections: int
    rounds: int
    seconds: float


FULL = (Rate(300, 16, 6, 4.0), Rate(20, 4, 3, 6.0))
"""The second is one that LiteLLM's proxy can carry, too."""
QUICK = (Rate(300, 16, 1, 1.0), Rate(20, 4, 1, 1.0))


def measure(around: Surroundings) -> None:
    """The server itself, the gateway and LiteLLM in turns; all are up all the time."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(server(ROW, port, around, core=OTHER_CORE))
        ours = stack.enter_context(gateway(ROW, {"blue": port}, around, core=GATEWAY_CORE))
        _, theirs = stack.enter_context(litellm_proxy.litellm_proxy(port, GATEWAY_CORE, around, cached=False))
        stack.enter_context(on_core(OTHER_CORE))
        ports = {"direct": port, "podium": ours.port, "litellm": theirs}
        for at in ports.values():
            uvloop.run(Steady(at, litellm_proxy.KEY, connections=4, requests_per_second=20).run(WARM_SECONDS))
        for rate in QUICK if around.quick else FULL:
            _measure(rate, ports, around)


def _measure(rate: Rate, ports: dict[str, int], around: Surroundings) -> None:
    before = around.quiet()
    found = {
        name: Steady(port, litellm_proxy.KEY, rate.connections, rate.requests_per_second)
        for name, port in ports.items()
    }
    for number in range(rate.rounds):
        shift = number % len(PEERS)
        for name in (*PEERS[shift:], *PEERS[:shift]):
            uvloop.run(found[name].run(rate.seconds))
    _record(rate, found, before, around)


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """This process on one core, for as long as the block lasts."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def _record(rate: Rate, found: dict[str, Steady], before: dict[str, object], around: Surroundings) -> None:
    figures = {name: milliseconds(one.seconds) for name, one in found.items()}
    values: dict[str, float] = {}
    for name in PEERS:
        values[f"{name}_failed"], values[f"{name}_left_out"] = found[name].failed, found[name].left_out
        for kind in ("p50_ms", "p99_ms"):
            values[f"{name}_{kind}"] = figures[name][kind]
            values[f"{name}_added_{kind}"] = round(figures[name][kind] - figures["direct"][kind], 4)
    around.record(
        ROW,
        setting=f"{rate.requests_per_second}/s",
        values=values,
        histograms_microseconds={name: histogram(one.seconds) for name, one in found.items()},
        before=before,
        parameters={
            **asdict(rate),
            "requests": {name: len(one.seconds) for name, one in found.items()},
            "litellm_versions": versions(litellm_proxy.python(around), ("litellm", "uvicorn", "uvloop", "httptools")),
            "litellm_config": litellm_proxy.config(0, cached=False),
        },
    )
