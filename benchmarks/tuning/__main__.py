"""Tunes a model of GPT-2's shape (124M, random weights): ``python -m benchmarks.tuning --output FOLDER``.

One goal takes about ten minutes on two quiet cores, once the model is made: six candidates, nine trials, and a proof
of six pairs of runs. ``--long`` takes half an hour for each goal, and can prove smaller differences.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.serving import machine, preparation
from podium.config.sources import read_environment

REPOSITORY = Path(__file__).resolve().parents[2]
LOADS = {
    "throughput-first": ["--concurrency", "16", "--slo", "failures < 1%"],
    "latency-first": ["--rate", "2", "--slo", "failures < 1%"],
    "cost-first": ["--concurrency", "16", "--slo", "failures < 1%"],
}
TOKENS = ["--prompt-tokens", "256", "--output-tokens", "64"]
LENGTHS = {
    "quick": ["--candidates", "4", "--first", "5s", "--duration", "5s", "--pairs", "6", "--warm-up", "2s"],
    "usual": ["--candidates", "6", "--first", "8s", "--duration", "15s", "--pairs", "6", "--warm-up", "3s"],
    "long": ["--candidates", "12", "--first", "20s", "--duration", "40s", "--pairs", "8"],
}


def main() -> None:
    """Make the model where it is missing, tune it, and leave evidence and fragment of each goal in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="new folder for the results")
    parser.add_argument("--goals", nargs="+", choices=sorted(LOADS), default=["throughput-first"])
    parser.add_argument("--precision", choices=preparation.PRECISIONS, default="int8", help="of the weights")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "benchmarks" / ".cache", help="models, environments")
    parser.add_argument("--transformers-python", help="interpreter that has podium[hf]")
    length = parser.add_mutually_exclusive_group()
    for name, words in (("quick", "a check of the harness: short runs, few candidates"), ("long", "smaller effects")):
        length.add_argument(f"--{name}", action="store_const", const=name, dest="length", default="usual", help=words)
    arguments = parser.parse_args()
    cache: Path = arguments.cache.resolve()
    model = cache / "models" / "gpt2" / arguments.precision
    if not model.is_dir():
        python = arguments.transformers_python or preparation.transformers_python(cache, REPOSITORY)
        preparation.make_models(cache, ("gpt2",), python, REPOSITORY, read_environment())
    for goal in arguments.goals:
        machine.wait_until_quiet(120.0)
        command = [sys.executable, "-m", "podium", "tune", "--goal", goal, *LOADS[goal], *TOKENS]
        command += [*LENGTHS[arguments.length], "--model", f"gpt2={model}", "--workers", "1"]
        began = time.monotonic()
        done = subprocess.run([*command, "--out", str(arguments.output / goal)], check=False)
        took = time.monotonic() - began
        print(
            f"{goal}: exit status {done.returncode} (0 better, 22 the present configuration stays), {took:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
