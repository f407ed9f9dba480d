"""``podium bench find-max``: the highest rate that keeps objectives."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from podium.bench.measured import Bench
from podium.bench.plan import RunPlan, check
from podium.bench.search.drive import Search
from podium.bench.search.drive import find_max as search
from podium.bench.search.history import Probe
from podium.bench.search.next_step import Plan, state_at
from podium.bench.search.objective import parse_objective
from podium.cli import output
from podium.cli.bench import run_options as o
from podium.cli.bench.inputs import metrics_urls
from podium.cli.bench.live import watching
from podium.cli.bench.load_options import folder_for, plan_of, prepared
from podium.cli.durations import duration_text
from podium.cli.exit_codes import ExitCode
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption

_SEARCH_FILE = "search.json"


def find_max(
    *,
    slo: Annotated[list[str], typer.Option("--slo", help='Such as "ttft p95 < 500ms" or "failures < 1%". May repeat.')],
    start: Annotated[float, typer.Option("--start", help="First rate to try, requests per second.", min=0.001)] = 1.0,
    least: Annotated[float, typer.Option("--least", help="Lowest rate to try.", min=0.001)] = 0.05,
    most: Annotated[float, typer.Option("--most", help="Highest rate to try.", min=0.001)] = 10_000.0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Wanted width of the interval: 0.05 is 5 %.", min=0.005, max=1.0)
    ] = 0.05,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Of the whole interval.", min=0.5, max=0.9999)
    ] = 0.99,
    most_runs: Annotated[int, typer.Option("--most-runs", help="Give up after so many runs.", min=2)] = 24,
    requests: Annotated[
        int, typer.Option("--requests", help="A run lasts long enough for so many requests.", min=100)
    ] = 1000,
    url: UrlOption = None,
    model: o.ModelOption = None,
    api: o.ApiOption = "completions",
    arrivals: Annotated[o.Arrivals, typer.Option("--arrivals", help="How requests are spread.")] = "poisson",
    duration: o.DurationOption = "60s",
    warm_up: o.WarmUpOption = "15s",
    prompt_tokens: o.PromptTokensOption = "128",
    output_tokens: o.OutputTokensOption = "64",
    tokenizer: o.TokenizerOption = "auto",
    workers: o.WorkersOption = None,
    seed: o.SeedOption = 1,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    metrics: o.MetricsOption = None,
    out: o.OutOption = None,
    as_json: JsonOption = False,
) -> int:
    """Find the highest rate at which a server keeps objectives, as an interval with a stated confidence.

    The rate is doubled until an objective is missed for sure, then the gap is halved; both edges are run again. A
    rate between the edges could not be told from the limit with runs of this length.

    \b
    Exit status: 0 found, 22 when one edge is missing, 130 interrupted: the answer is what the runs until then say.

    \b
    Examples:
      podium bench find-max --slo "ttft p95 < 500ms" --slo "failures < 1%"
      podium bench find-max --slo "e2e p99 < 5s" --start 4 --duration 2m --url http://127.0.0.1:8000
    """
    given: dict[str, Any] = locals()
    objectives = [parse_objective(text) for text in slo]
    plan = Plan(start=start, least=least, most=most, tolerance=tolerance, confidence=confidence, most_runs=most_runs)
    run = plan_of(given, rate=start, requests=None, min_window="0", min_samples=1)
    check(msgspec.structs.replace(run, objectives={one.name: one.seconds for one in objectives if one.seconds}))
    folder = folder_for(out, "find-max")
    run = prepared(run, tokenizer, asyncio.run)

    def told(probe: Probe, planned: RunPlan) -> None:
        bad = ", ".join(f"{one.name}: {one.share:.2%} bad" for one in probe.criteria)
        output.note(f"{probe.rate:.3g}/s for {planned.load.seconds:.0f} s: {state_at([probe], plan)} ({bad})")

    with watching(quiet=as_json) as watch:
        bench = Bench(folder, sys.argv, watch, metrics_urls(given, run.target.url))
        found = search(bench, run, objectives, plan, requests=requests, told=told)
    _save(folder, found)
    if as_json:
        output.document(found)
    else:
        _show(found, folder)
    if found.interrupted:
        return ExitCode.INTERRUPTED
    complete = found.found.passes is not None and found.found.fails is not None
    return ExitCode.OK if complete else ExitCode.UNDECIDED


def _save(folder: Path, found: Search) -> None:
    (folder / _SEARCH_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def _show(found: Search, folder: Path) -> None:
    answer = found.found
    kept = " and ".join(found.objectives)
    if answer.passes is not None and answer.fails is not None:
        output.line(f"{answer.passes:.3g} requests/s keep {kept}; {answer.fails:.3g} do not")
        output.line(f"most likely limit: {answer.estimate:.3g}/s; the interval holds with {answer.confidence:.0%}")
    elif answer.passes is not None:
        output.line(f"{answer.passes:.3g} requests/s keep {kept}; no rate was shown to miss it")
    else:
        output.line(f"no rate was shown to keep {kept}")
    output.line(f"{answer.why} ({answer.runs} runs, {duration_text(answer.seconds)})")
    if found.client_limit is not None:
        output.warning(f"this client could not drive {found.client_limit:.3g}/s; use more --workers or another machine")
    output.line(f"results: {folder}")
