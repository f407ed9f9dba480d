"""Row ``hits``: cached answers through authentication, quota and cache, on one core, beside LiteLLM's proxy."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.access.metrics import scrape
from benchmarks.access.places import Place, counted_key
from benchmarks.loopback import litellm_proxy, wrk
from benchmarks.loopback.blocking_connection import BlockingConnection
from benchmarks.loopback.dialects import Call, call, prompt_seen, text_of
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.podium_server import Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.machine import CpuMeter, versions
from benchmarks.serving.server_process import ServerProcess

ROW = "hits"
ROUNDS = 4
SECONDS = 20
WARM_SECONDS = 2
PROMPTS = tuple(f"What is answer number {number:02d} of those that are asked again and again?" for number in range(16))
OUTPUT_TOKENS = 128
SERVER_CORE, CLIENT_CORE = 0, 1
CACHED_MARK = "x-litellm-cache-key"


@dataclass(frozen=True)
class _Peer:
    """A server under load, and what shows that an answer came from its cache."""

    name: str
    process: ServerProcess
    target: wrk.Target
    cached: Callable[[Answer], bool]


def measure(around: Surroundings) -> None:
    """Podium and LiteLLM in turns, both up all the time, each answering the same requests."""
    if (os.cpu_count() or 1) < 2:
        raise RuntimeError("this row needs two cores: one for the server, one for the client")
    wrk.program()
    rounds, seconds = (2, 3) if around.quick else (ROUNDS, SECONDS)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(podium_server(Wish(f"{ROW}-upstream", core=CLIENT_CORE), around))
        peers = _peers(upstream, around, stack)
        for peer in peers:
            _fill(peer)
            wrk.run(peer.target, wrk.Load(WARM_SECONDS, CLIENT_CORE, around.work / "wrk.lua"))
        parameters = _parameters(upstream, seconds, around)
        before = around.quiet()
        asked = _upstream_requests(upstream)
        found = [_round(peer, number, seconds, peers, around) for number in range(rounds) for peer in peers]
        grown = _upstream_requests(upstream) - asked
    values = {"upstream_requests_while_measured": grown, **_medians(found)}
    around.record(ROW, values=values, rounds=found, before=before, parameters=parameters)


def _peers(upstream: Podium, around: Surroundings, stack: contextlib.ExitStack) -> list[_Peer]:
    place = Place(around.work / f"{ROW}.db")
    key = counted_key(place)
    podium = stack.enter_context(podium_server(Wish(ROW, sections=place.sections(), core=SERVER_CORE), around))
    process, port = stack.enter_context(litellm_proxy.litellm_proxy(upstream.port, SERVER_CORE, around))
    return [
        _Peer("podium", podium.process, _target(podium.port, key.text), lambda answer: answer.cache == "hit"),
        _Peer("litellm", process, _target(port, litellm_proxy.KEY), lambda answer: CACHED_MARK in answer.fields),
    ]


def _calls() -> list[Call]:
    return [call("chat", prompt, OUTPUT_TOKENS) for prompt in PROMPTS]


def _target(port: int, key: str) -> wrk.Target:
    return wrk.Target(port, _calls()[0].path, [asked.body for asked in _calls()], key)


def _fill(peer: _Peer) -> None:
    """Ask each prompt once, so that all are kept; then all must come from the cache, with the right text."""
    _ask_all(peer)
    _check(peer)


def _check(peer: _Peer) -> None:
    for prompt, answer in zip(PROMPTS, _ask_all(peer), strict=True):
        right = answer.status == 200 and text_of(answer.json()).strip() == prompt_seen("chat", prompt).strip()
        if not right or not peer.cached(answer):
            raise RuntimeError(
                f"{peer.name}: not the kept answer: {answer.status} {answer.fields} {answer.body[:300]!r}"
            )


def _ask_all(peer: _Peer) -> list[Answer]:
    target = peer.target
    with BlockingConnection(target.port) as connection:
        return [connection.ask(post(target.port, target.path, body, key=target.key)) for body in target.bodies]


def _round(peer: _Peer, number: int, seconds: int, peers: list[_Peer], around: Surroundings) -> dict[str, Any]:
    meter = CpuMeter({one.name: one.process.pid for one in peers})
    figures = wrk.run(peer.target, wrk.Load(seconds, CLIENT_CORE, around.work / "wrk.lua"))
    cpu_seconds = meter.stop()
    _check(peer)
    if figures["not_2xx"] or figures["broken"]:
        raise RuntimeError(f"{peer.name}: not every answer was 200: {figures}")
    found = {"peer": peer.name, "round": number + 1, **figures, "cpu_seconds": cpu_seconds}
    print(f"{peer.name} round {number + 1}: {figures['requests_per_second']:.0f}/s p50 {figures['p50_ms']:.2f} ms")
    return found


def _medians(found: list[dict[str, Any]]) -> dict[str, float]:
    """Of each peer's rounds; the ratio is the median of the ratios within each round."""
    of = {name: [one for one in found if one["peer"] == name] for name in ("podium", "litellm")}
    values = {
        f"{name}_{kind}": statistics.median(one[kind] for one in rounds)
        for name, rounds in of.items()
        for kind in ("requests_per_second", "p50_ms", "p99_ms")
    }
    rate = "requests_per_second"
    ratios = [ours[rate] / theirs[rate] for ours, theirs in zip(of["podium"], of["litellm"], strict=True)]
    return {**values, "ratio": statistics.median(ratios), "least_ratio": min(ratios)}


def _upstream_requests(upstream: Podium) -> int:
    return int(scrape(upstream.admin_port).sum("podium_requests_total"))


def _parameters(upstream: Podium, seconds: int, around: Surroundings) -> dict[str, Any]:
    return {
        "connections": wrk.CONNECTIONS,
        "seconds": seconds,
        "prompts": len(PROMPTS),
        "server_core": SERVER_CORE,
        "client_core": CLIENT_CORE,
        "wrk": wrk.version(),
        "litellm": versions(litellm_proxy.python(around), ("litellm", "uvicorn", "uvloop", "httptools")),
        "litellm_environment": dict(litellm_proxy.SETTINGS),
        "litellm_config": litellm_proxy.config(upstream.port),
    }
