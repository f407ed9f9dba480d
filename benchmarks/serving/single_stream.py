"""One stream: what Podium adds to the bare engine, request by request in turns, both loaded and one working."""

from __future__ import annotations

import statistics

from benchmarks.serving.machine import as_mapping, wait_until_quiet
from benchmarks.serving.peers import PEERS
from benchmarks.serving.raw_file import RawFile
from benchmarks.serving.rounds import warm_up
from benchmarks.serving.surroundings import Surroundings
from benchmarks.serving.timings import Timed
from benchmarks.serving.workloads import Prompts

REPEATS = 24
OUTPUT_TOKENS = 64


def run_single_stream(
    model: str, precision: str, around: Surroundings, raw: RawFile, quiet_seconds: float, repeats: int = REPEATS
) -> None:
    """Write one record: TTFT and time per token of both, and the paired differences' medians."""
    prompts = Prompts(around.models / model / "hf")
    with (
        PEERS[f"bare-{precision}"].open(model, around) as bare,
        PEERS[f"podium-{precision}"].open(model, around) as podium,
    ):
        peers = {"bare": bare, "podium": podium}
        for name, peer in peers.items():
            warm_up(peer, prompts, name)
        quiet = wait_until_quiet(quiet_seconds)
        timings: dict[str, list[Timed]] = {"bare": [], "podium": []}
        for number in range(repeats):
            order = ("bare", "podium") if number % 2 else ("podium", "bare")
            for name in order:
                # Equal lengths, other tokens: the prefix cache of neither may help.
                request = prompts.streams(f"single-{number}-{name}", 1, output_tokens=OUTPUT_TOKENS)
                timings[name] += peers[name].run(request).timings
    record = {"model": model, "workload": "one-stream", "peer": precision, "values": compare(timings)}
    raw.add("single", {**record, "before": as_mapping(quiet), "pairs": _pairs(timings)})


def compare(timings: dict[str, list[Timed]]) -> dict[str, float]:
    """Medians of both, and of the paired differences (neighbours in time share the machine's mood)."""
    ttft = {name: [timed.first - timed.sent for timed in series] for name, series in timings.items()}
    tpot = {name: [_tpot(timed) for timed in series] for name, series in timings.items()}
    return {
        "bare_ttft_seconds": statistics.median(ttft["bare"]),
        "podium_ttft_seconds": statistics.median(ttft["podium"]),
        "added_ttft_seconds": statistics.median(
            ours - theirs for ours, theirs in zip(ttft["podium"], ttft["bare"], strict=True)
        ),
        "bare_tpot_seconds": statistics.median(tpot["bare"]),
        "podium_tpot_seconds": statistics.median(tpot["podium"]),
        "tpot_ratio": statistics.median(
            ours / theirs for ours, theirs in zip(tpot["podium"], tpot["bare"], strict=True)
        ),
    }


def _tpot(timed: Timed) -> float:
    return (timed.last - timed.first) / (timed.output_tokens - 1)


def _pairs(timings: dict[str, list[Timed]]) -> list[list[float]]:
    """For each pair: bare TTFT, Podium's TTFT, bare time per token, Podium's time per token, in seconds."""
    return [
        [round(value, 6) for value in (theirs.first - theirs.sent, ours.first - ours.sent, _tpot(theirs), _tpot(ours))]
        for theirs, ours in zip(timings["bare"], timings["podium"], strict=True)
    ]
