"""Compares engine settings on the bare engine, in turns: ``python -m benchmarks.serving.tune EXPERIMENT…``.

All variants of an experiment are loaded at once and idle but one, so that a round is short and the
machine's mood is shared. Wall time and CPU seconds are both recorded: on a busy machine the second is
the steadier one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import machine
from benchmarks.serving.bare_peer import open_bare
from benchmarks.serving.peers import engine_settings
from benchmarks.serving.raw_file import RawFile
from benchmarks.serving.rounds import warm_up, work
from benchmarks.serving.surroundings import Surroundings
from benchmarks.serving.timings import summary
from benchmarks.serving.workloads import Prompts
from podium.config.sources import read_environment

REPOSITORY = Path(__file__).resolve().parents[2]
RAW = REPOSITORY / "docs" / "benchmarks" / "raw"


@dataclass(frozen=True)
class Variant:
    """One setting under trial: changes to what Podium passes on by default."""

    name: str
    ir: str = "int8"
    engine: dict[str, Any] = field(default_factory=dict)
    scheduler: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """Variants on the same workloads."""

    workloads: tuple[str, ...]
    variants: tuple[Variant, ...]
    model: str = "gpt2"


def _bf16(name: str, **changes: dict[str, Any]) -> Variant:
    return Variant(name, ir="f16", **changes)


EXPERIMENTS = {
    "arithmetic": Experiment(
        ("streams-16", "staggered", "shared-prefix"),
        (
            Variant("int8"),
            Variant("int8-float-activations", engine={"int8_activations": False}),
            _bf16("bf16"),
        ),
    ),
    "chunk": Experiment(
        ("streams-16", "staggered"),
        tuple(Variant(f"tokens-{n}", engine={"max_batch_tokens": n}) for n in (64, 128, 256, 512, 1024)),
    ),
    "fuse": Experiment(
        ("streams-16", "staggered"),
        (
            Variant("fuse"),
            Variant("no-fuse", scheduler={"dynamic_split_fuse": False, "max_num_batched_tokens": 2048}),
        ),
    ),
    "kv": Experiment(
        ("streams-16", "streams-64"),
        (
            Variant("int8-kv-u8"),
            Variant("int8-kv-f16", properties={"KV_CACHE_PRECISION": "f16"}),
            _bf16("bf16-kv-u8"),
            _bf16("bf16-kv-bf16", properties={"KV_CACHE_PRECISION": "bf16"}),
        ),
    ),
    "hint": Experiment(
        ("streams-1", "streams-16"),
        (
            Variant("latency"),
            Variant("throughput", properties={"PERFORMANCE_HINT": "THROUGHPUT"}),
            Variant("one-thread", properties={"INFERENCE_NUM_THREADS": 1}),
            Variant("no-pinning", properties={"ENABLE_CPU_PINNING": False}),
        ),
    ),
    "activations": Experiment(
        ("streams-1", "streams-16", "staggered"),
        tuple(
            Variant(f"group-{size}", properties={"DYNAMIC_QUANTIZATION_GROUP_SIZE": str(size)})
            for size in (0, 32, 64, 128)
        ),
    ),
    "weights": Experiment(
        ("streams-1", "streams-16", "streams-64"),
        (Variant("int8"), _bf16("bf16"), Variant("f32", ir="f32", engine={"precision": "f32"})),
    ),
}


def main() -> None:
    """Run the experiments that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.tune", description=__doc__)
    parser.add_argument("experiments", nargs="+", choices=sorted(EXPERIMENTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", help="another model than the experiment's own")
    parser.add_argument("--quiet-seconds", type=float, default=20.0)
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "benchmarks" / ".cache")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    around = _surroundings(arguments.cache)
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    raw = RawFile(
        arguments.output or RAW / f"tuning-{day}-{'-'.join(arguments.experiments)}.jsonl",
        {
            "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "command": " ".join(["python", "-m", "benchmarks.serving.tune", *sys.argv[1:]]),
            "commit": machine.commit(REPOSITORY),
            "machine": machine.describe(),
            "versions": machine.versions(around.python, ("openvino", "openvino-genai")),
        },
    )
    for name in arguments.experiments:
        _run(name, EXPERIMENTS[name], arguments, around, raw)


def _run(name: str, experiment: Experiment, arguments: argparse.Namespace, around: Surroundings, raw: RawFile) -> None:
    model = arguments.model or experiment.model
    prompts = Prompts(around.models / model / "hf")
    records: list[dict[str, Any]] = []
    with ExitStack() as stack:
        peers = {v.name: stack.enter_context(_open(v, model, around)) for v in experiment.variants}
        for variant, peer in peers.items():
            warm_up(peer, prompts, variant)
        for number in range(arguments.rounds):
            order = list(peers)[number % len(peers) :] + list(peers)[: number % len(peers)]
            for workload in experiment.workloads:
                for variant in order:
                    quiet = machine.wait_until_quiet(arguments.quiet_seconds)
                    answer = peers[variant].run(work(prompts, workload, f"{workload}-{number}"))
                    record = {
                        "experiment": name,
                        "round": number + 1,
                        "model": model,
                        "workload": workload,
                        "setting": variant,
                        "values": summary(answer.timings),
                        "cpu_seconds": answer.cpu_seconds,
                        "before": machine.as_mapping(quiet),
                    }
                    raw.add("tuning", record)
                    records.append(record)
    print(table(records))


def table(records: list[dict[str, Any]]) -> str:
    """Medians by workload and setting, as a Markdown table."""
    names = ("setting", "output tokens/s", "CPU s", "TTFT p50 ms", "ITL p50 ms", "ITL p95 ms", "others' share")
    lines = []
    for workload in dict.fromkeys(record["workload"] for record in records):
        lines += [f"\n{workload}\n", f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        for setting in dict.fromkeys(record["setting"] for record in records):
            found = [r for r in records if r["workload"] == workload and r["setting"] == setting]
            lines.append(_line(setting, found))
    return "\n".join(lines)


def _line(setting: str, found: list[dict[str, Any]]) -> str:
    def middle(*path: str, scale: float = 1.0) -> float:
        return float(statistics.median(record[path[0]][path[1]] for record in found)) * scale

    other = statistics.median(r["cpu_seconds"]["other"] / r["cpu_seconds"]["wall"] / 2 for r in found)
    cells = (
        setting,
        f"{middle('values', 'output_tokens_per_second'):.1f}",
        f"{middle('cpu_seconds', 'server'):.2f}",
        f"{middle('values', 'ttft_p50_seconds', scale=1000):.0f}",
        f"{middle('values', 'itl_p50_seconds', scale=1000):.1f}",
        f"{middle('values', 'itl_p95_seconds', scale=1000):.1f}",
        f"{other:.0%}",
    )
    return f"| {' | '.join(cells)} |"


def _open(variant: Variant, model: str, around: Surroundings) -> Any:
    engine = {"kind": "openvino", "precision": "bf16" if variant.ir == "f16" else variant.ir, **variant.engine}
    folder = around.models / model / variant.ir
    settings = engine_settings(engine, folder)
    settings["scheduler"] |= variant.scheduler
    settings["properties"] |= variant.properties
    return open_bare(settings, folder, around, f"tune-{variant.name}")


def _surroundings(cache: Path) -> Surroundings:
    return Surroundings(
        python=sys.executable,
        vllm_python="",
        transformers_python="",
        models=cache.resolve() / "models",
        work=cache.resolve() / "work",
        repository=REPOSITORY,
        environment=read_environment(),
    )


if __name__ == "__main__":
    main()
