"""``podium bench compare``: is B worse than A?"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from podium.bench.comparison.live import Served, run_interleaved
from podium.bench.comparison.metrics import DEFAULT, metrics_named
from podium.bench.comparison.power import noise_bound, pairs_needed
from podium.bench.comparison.saved import are_interleaved, require_same_load, runs_in
from podium.bench.comparison.verdict import FEWEST_RUNS, Comparison, Verdict, undecided
from podium.bench.comparison.verdict import compare as judge
from podium.bench.local_server import LocalServer
from podium.bench.measured import Bench
from podium.bench.result import RunResult
from podium.cli import output
from podium.cli.bench import run_options as o
from podium.cli.bench.compare_table import show_comparison
from podium.cli.bench.live import watching
from podium.cli.bench.load_options import folder_for, plan_of, prepared
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption, KeyFileOption, settings_from

_SMALLEST_CHANGE = 0.05


def compare(
    a: Annotated[str, typer.Argument(help="Saved runs, a server's address, or a podium.yaml to start.", metavar="A")],
    b: Annotated[str, typer.Argument(help="The same, of what may be better or worse.", metavar="B")],
    *,
    pairs: Annotated[
        int | None, typer.Option("--pairs", help="Runs of each side; as many as --noise needs if left out.", min=2)
    ] = None,
    noise: Annotated[
        float, typer.Option("--noise", help="How much runs of the same differ, relative: 0.02 is 2 %.", min=0.001)
    ] = 0.02,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A figure to compare instead of the usual five. May repeat.")
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", help="A smaller change is none: 0.02 is 2 %.", min=0.0, max=1.0)
    ] = 0.02,
    alpha: Annotated[
        float, typer.Option("--alpha", help="Chance of a false alarm, over all figures.", min=0.0001, max=0.5)
    ] = 0.05,
    must_know: Annotated[
        bool, typer.Option("--must-know", help="Exit status 22 when a figure stays undecided.")
    ] = False,
    model: o.ModelOption = None,
    api: o.ApiOption = "completions",
    concurrency: o.ConcurrencyOption = None,
    rate: o.RateOption = None,
    duration: o.DurationOption = "30s",
    warm_up: o.WarmUpOption = "5s",
    prompt_tokens: o.PromptTokensOption = "128",
    output_tokens: o.OutputTokensOption = "64",
    tokenizer: o.TokenizerOption = "auto",
    objective: o.ObjectiveOption = None,
    workers: o.WorkersOption = None,
    seed: o.SeedOption = 1,
    min_window: o.MinWindowOption = "30s",
    min_samples: o.MinSamplesOption = 64,
    key_file: KeyFileOption = None,
    out: o.OutOption = None,
    as_json: JsonOption = False,
) -> int:
    """Compare two servers, or saved runs of them, by whole runs in turns.

    A run is one observation: its requests share warmth, queue and neighbours. Before the first run it is said how
    many runs the change takes to be found; with saved runs nothing is sent. Ctrl-C compares the pairs until then.

    \b
    Exit status: 0 not worse, 21 worse in some figure, 22 undecided (with --must-know), 130 interrupted.

    \b
    Examples:
      podium bench compare old.yaml new.yaml --rate 10
      podium bench compare http://127.0.0.1:8000 http://127.0.0.1:9000 --concurrency 8 --pairs 12
      podium bench compare runs/compare-1/A runs/compare-1/B --metric ttft_p95 --json
    """
    given: dict[str, Any] = locals()
    metrics = metrics_named(tuple(metric or DEFAULT))
    if "goodput" in [one.name for one in metrics] and not objective and not _saved(a):
        raise Failure("--metric goodput needs an --objective, such as ttft=0.5", ExitCode.USAGE)
    if _saved(a) != _saved(b):
        raise Failure("A and B must both be saved runs, or both be servers", ExitCode.USAGE)
    planned = 0
    if _saved(a):
        first, second = runs_in(Path(a)), runs_in(Path(b))
        require_same_load([*first, *second])
    else:
        planned = _pairs(pairs, noise, len(metrics), alpha)
        first, second = _measure(given, planned)
    if planned and len(first) < FEWEST_RUNS:
        found = undecided(len(first), alpha=alpha, margin=margin)
    else:
        found = judge(first, second, metrics, paired=are_interleaved(first, second), alpha=alpha, margin=margin)
    found = msgspec.structs.replace(found, interrupted=len(first) < planned)
    if as_json:
        output.document(found)
    else:
        show_comparison(found)
    return _status(found, must_know=must_know)


def _status(found: Comparison, *, must_know: bool) -> int:
    if found.interrupted:
        return ExitCode.INTERRUPTED
    if found.verdict is Verdict.WORSE:
        return ExitCode.WORSE
    unknown = any(one.verdict is Verdict.UNKNOWN for one in found.differences) or not found.differences
    return ExitCode.UNDECIDED if must_know and unknown else ExitCode.OK


def _saved(given: str) -> bool:
    return not _is_url(given) and not given.endswith((".yaml", ".yml"))


def _is_url(given: str) -> bool:
    return given.startswith(("http://", "https://"))


def _pairs(pairs: int | None, noise: float, metrics: int, alpha: float) -> int:
    """How many, told beforehand together with what they can find."""
    change = f"{_SMALLEST_CHANGE:.0%}"
    if pairs is None:
        pairs = pairs_needed(change=_SMALLEST_CHANGE, noise=noise, metrics=metrics, alpha=alpha)
        if pairs is None:
            raise Failure(
                f"with runs that differ by {noise:.1%} more than 64 pairs would be needed to find {change}; make the "
                "runs longer, the machine quieter, or name --pairs",
                ExitCode.USAGE,
            )
    bound = noise_bound(pairs, change=_SMALLEST_CHANGE, metrics=metrics, alpha=alpha)
    output.note(
        f"{pairs} pairs, {2 * pairs} runs: a change of {change} is found with 90 % probability in any of {metrics} "
        f"figures if runs of the same differ by no more than {bound:.1%}"
        if bound
        else f"{pairs} pairs are too few to find any change in {metrics} figures at once"
    )
    return pairs


def _measure(given: dict[str, Any], pairs: int) -> tuple[list[RunResult], list[RunResult]]:
    folder = folder_for(given["out"], "compare")
    side_a, side_b = _served(given["a"]), _served(given["b"])
    with side_a() as url:
        plan = prepared(plan_of(given, url=url), given["tokenizer"], asyncio.run)
    with watching(quiet=given["as_json"]) as watch:
        found = run_interleaved(
            Bench(folder, sys.argv, watch),
            plan,
            {"A": side_a, "B": side_b},
            pairs=pairs,
            told=lambda number, side: output.note(f"run {number + 1} of {2 * pairs}: {side}"),
        )
    output.note(f"runs: {folder}/A and {folder}/B")
    return found["A"], found["B"]


def _served(given: str) -> Served:
    """A server that is there, or one that is started for each run from its file."""
    if _is_url(given):
        return lambda: contextlib.nullcontext(given.rstrip("/").removesuffix("/v1"))
    settings = settings_from(Path(given)).settings.model_dump(mode="json", exclude_unset=True)

    @contextlib.contextmanager
    def started() -> Iterator[str]:
        with LocalServer(settings) as server:
            yield server.url

    return started
