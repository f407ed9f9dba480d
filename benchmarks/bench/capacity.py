"""How many requests a second each load tester really sends, counted by the server that they are sent to.

A no-op server in a process of its own streams 16 frames an answer. A tool's rate is the median of the full seconds in
which it was busy; ``delay`` then drives Podium at half of its own rate and looks at how late it sends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import peers
from podium.bench.fleet import Fleet
from podium.bench.plan import Length, Load, RunPlan, Target, Words, Workload
from podium.bench.statistics import distribution

USERS = 64
TOKENS = 16
EDGE = 0.5  # of the busiest second: a second with less is a beginning or an end
LEAST_RATIOS = {"guidellm": 2.0, "aiperf": 1.2}
MOST_DELAY_SECONDS = 0.005
SPECIAL = "<|end|>"


class Counted:
    """The no-op server, and what it counted once it is over."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seconds: list[int] = []

    @property
    def per_second(self) -> float:
        """The median busy second."""
        most = max(self.seconds, default=0)
        busy = [count for count in self.seconds if count >= EDGE * most]
        return float(statistics.median(busy)) if busy else 0.0


@contextlib.contextmanager
def counting_server() -> Iterator[Counted]:
    """A no-op server until the block ends."""
    command = [sys.executable, "-m", "podium.bench.noop"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        counted = Counted(f"http://127.0.0.1:{int(process.stdout.readline())}")
        try:
            yield counted
            process.stdin.close()
            counted.seconds = list(json.loads(process.stdout.readline()).values())
        finally:
            process.kill()


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Podium's rate and its delay at half of it; then the peers' rates."""
    seconds = 4.0 if arguments.quick else 20.0
    own = _podium(Load(kind="closed", concurrency=USERS, seconds=seconds), arguments.workers)
    yield {"row": "capacity", "tool": "podium", "per_second": own, "kept": True}
    yield _delay(own / 2, seconds, arguments.workers)
    with _environments(arguments) as folder:
        tokenizer = _tokenizer(folder)
        for tool in arguments.peers:
            python = peers.python_of(tool, getattr(arguments, f"{tool}_python"), folder)
            with counting_server() as server:
                command = peers.COMMANDS[tool](python, server.url, tokenizer, USERS, seconds, TOKENS)
                failure = peers.run(command, seconds)
            record: dict[str, Any] = {"row": "capacity", "tool": tool, "per_second": server.per_second}
            if failure:
                yield {**record, "kept": False, "failure": failure}
                continue
            ratio = own / server.per_second if server.per_second else 0.0
            yield {**record, "podium_is_times": ratio, "kept": ratio >= LEAST_RATIOS[tool]}


def _podium(load: Load, workers: int) -> float:
    with counting_server() as server:
        asyncio.run(Fleet(_plan(server.url, load, workers)).run())
    return server.per_second


def _delay(rate: float, seconds: float, workers: int) -> dict[str, Any]:
    with counting_server() as server:
        plan = _plan(server.url, Load(kind="poisson", rate=rate, seconds=seconds), workers)
        sent = asyncio.run(Fleet(plan).run())
    late = distribution([r.begun_at - r.scheduled_at for r in sent.records if r.begun_at and not r.warm_up])
    p99 = late.at(99) or float("inf")
    return {
        "row": "delay",
        "tool": "podium",
        "per_second": rate,
        "delay_p50_ms": (late.at(50) or 0) * 1000,
        "delay_p99_ms": p99 * 1000,
        "kept": p99 < MOST_DELAY_SECONDS,
    }


def _plan(url: str, load: Load, workers: int) -> RunPlan:
    return RunPlan(
        target=Target(url=url, model="noop"),
        load=load,
        workload=Workload(prompt=Length(mean=16), output=Length(mean=TOKENS)),
        words=Words(unit="word", words=["time", "year", "way"], overhead=0, source="the no-op server"),
        warm_up_seconds=1.0,
        calibrate=False,
        workers=workers,
    )


@contextlib.contextmanager
def _environments(arguments: argparse.Namespace) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="podium-peers-") as name:
        yield arguments.peers_folder or Path(name)


def _tokenizer(folder: Path) -> Path:
    """A tokenizer of single bytes for the peers: it must know whatever text they make their prompts of.

    One that does not leaves guidellm with empty prompts, which it then refuses to send.
    """
    import tokenizers  # noqa: PLC0415 - for the peers only

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate([SPECIAL, *alphabet])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(words, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    target = folder / "tokenizer"
    target.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(target / "tokenizer.json"))
    special = dict.fromkeys(("unk_token", "pad_token", "eos_token"), SPECIAL)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    (target / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return target


def line(record: dict[str, Any]) -> str:
    """A record for a person."""
    more = {name: value for name, value in record.items() if name not in {"row", "tool", "kept"}}
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in more.items()}
    words = ", ".join(f"{name} {value}" for name, value in shown.items())
    return f"{'ok  ' if record['kept'] else 'MISS'} {record['row']:9} {record['tool']:9} {words}"
