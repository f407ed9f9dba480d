"""The comparison: every peer on the same work, in turns, one alive at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.serving.machine import as_mapping, wait_until_quiet
from benchmarks.serving.peers import Peer, PeerKind
from benchmarks.serving.raw_file import RawFile
from benchmarks.serving.surroundings import Answer, Surroundings
from benchmarks.serving.timings import summary
from benchmarks.serving.workloads import STREAMS, Prompts, Request

WARM_REQUESTS = 4
WORKLOADS = ("streams-16", "staggered", "shared-prefix")


@dataclass(frozen=True)
class Comparison:
    """Which peers run which workloads on one model."""

    model: str
    peers: Sequence[PeerKind]
    workloads: Sequence[str]


def run_rounds(comparison: Comparison, rounds: int, around: Surroundings, raw: RawFile, quiet_seconds: float) -> None:
    """Each round starts every peer once, in an order that rotates, and gives it every workload."""
    for number in range(rounds):
        shift = number % len(comparison.peers)
        for kind in (*comparison.peers[shift:], *comparison.peers[:shift]):
            try:
                _run_peer(kind, comparison, number + 1, around, raw, quiet_seconds)
            except (RuntimeError, OSError, ValueError, TimeoutError, subprocess.SubprocessError) as error:
                raw.add(
                    "failure",
                    {"round": number + 1, "model": comparison.model, "peer": kind.name, "error": str(error)[-2000:]},
                )


def _run_peer(
    kind: PeerKind, comparison: Comparison, number: int, around: Surroundings, raw: RawFile, quiet_seconds: float
) -> None:
    prompts = Prompts(around.models / comparison.model / "hf")
    with kind.open(comparison.model, around) as peer:
        warm_up(peer, prompts, f"{kind.name}-{number}")
        for workload in comparison.workloads if kind.engine != "transformers" else comparison.workloads[:1]:
            requests = work(prompts, workload, f"{workload}-{number}")
            quiet = wait_until_quiet(quiet_seconds)
            answer = peer.run(requests)
            record = {
                "round": number,
                "model": comparison.model,
                "workload": workload,
                "peer": kind.name,
                "values": summary(answer.timings),
                "cpu_seconds": answer.cpu_seconds,
                "start_seconds": peer.start_seconds,
                "before": as_mapping(quiet),
                "requests": per_request(answer),
            }
            raw.add("run", record)


def warm_up(peer: Peer, prompts: Prompts, seed: str) -> None:
    """Prompts of their own, so that nothing measured later is cached; long enough for every shape of step."""
    peer.run(prompts.streams(f"warm-{seed}", WARM_REQUESTS, output_tokens=16))
    peer.run(prompts.streams(f"warm-more-{seed}", STREAMS, prompt_tokens=64, output_tokens=8))


def work(prompts: Prompts, workload: str, seed: str) -> list[Request]:
    """The requests of a workload's name; ``streams-N`` is N at once."""
    if workload.startswith("streams-"):
        return prompts.streams(seed, int(workload.removeprefix("streams-")))
    return {"staggered": prompts.staggered, "shared-prefix": prompts.shared_prefix}[workload](seed)


def per_request(answer: Answer) -> list[list[float]]:
    """For each request: sent, first token, last token (seconds from the first sending), output tokens."""
    start = min(timed.sent for timed in answer.timings)
    return [
        [round(timed.sent - start, 4), round(timed.first - start, 4), round(timed.last - start, 4), timed.output_tokens]
        for timed in answer.timings
    ]
