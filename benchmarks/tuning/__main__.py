"""Tunes a model of GPT-2's shape (124M, random weights) for each goal: ``python -m benchmarks.tuning``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.serving import machine, preparation
from podium.config.sources import read_environment

REPOSITORY = Path(__file__).resolve().parents[2]
LOADS = {
    "throughput-first": ["--concurrency", "16", "--slo", "failures < 1%"],
    "latency-first": ["--rate", "2", "--slo", "failures < 1%"],
    "cost-first": ["--concurrency", "16", "--slo", "failures < 1%"],
}
LENGTHS = ["--prompt-tokens", "256", "--output-tokens", "64"]


def main() -> None:
    """Make the model where it is missing, tune it, and leave evidence and fragment of each goal in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="new folder for the results")
    parser.add_argument("--goals", nargs="+", choices=sorted(LOADS), default=sorted(LOADS))
    parser.add_argument("--precision", choices=preparation.PRECISIONS, default="int8", help="of the weights")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "benchmarks" / ".cache", help="models, environments")
    parser.add_argument("--transformers-python", help="interpreter that has podium[hf]")
    parser.add_argument("--quick", action="store_true", help="a check of the harness: short runs, few candidates")
    arguments = parser.parse_args()
    cache: Path = arguments.cache.resolve()
    python = arguments.transformers_python or preparation.transformers_python(cache, REPOSITORY)
    models = preparation.make_models(cache, ("gpt2",), python, REPOSITORY, read_environment())
    length = (
        ["--candidates", "4", "--first", "5s", "--duration", "5s", "--pairs", "6"]
        if arguments.quick
        else ["--candidates", "12", "--first", "20s", "--duration", "40s", "--pairs", "8"]
    )
    for goal in arguments.goals:
        machine.wait_until_quiet(120.0)
        command = [sys.executable, "-m", "podium", "tune", "--goal", goal, *LOADS[goal], *LENGTHS, *length]
        model = models / "gpt2" / arguments.precision
        done = subprocess.run(
            [*command, "--model", f"gpt2={model}", "--workers", "1", "--out", str(arguments.output / goal)], check=False
        )
        print(f"{goal}: exit status {done.returncode} (0 better, 22 the present configuration stays)", flush=True)


if __name__ == "__main__":
    main()
