"""``podium tune``: from a model, this machine and objectives to a configuration."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import pydantic
import typer
import yaml

from podium.bench.local_server import LocalServer
from podium.bench.measured import Bench
from podium.bench.plan import RunPlan
from podium.bench.search.objective import parse_objective
from podium.bench.tuning.candidates import candidates, choices
from podium.bench.tuning.drive import Tuner, Tuning
from podium.bench.tuning.goal import GOAL_MEANINGS, Goal
from podium.bench.tuning.halving import ranked, total_seconds, with_changes
from podium.cli import output
from podium.cli.bench import run_options as o
from podium.cli.bench.load_options import folder_for, plan_of, prepared
from podium.cli.durations import duration_text, seconds_in
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, models_from, settings_from
from podium.config.models import Model
from podium.core.errors import ConfigurationError
from podium.protocols.native import ModelsAnswer

_FRAGMENT, _EVIDENCE = "podium.yaml", "evidence.json"


def tune(
    *,
    goal: Annotated[Goal, typer.Option("--goal", help="What counts once the objectives are kept.")] = Goal.THROUGHPUT,
    slo: Annotated[
        list[str] | None, typer.Option("--slo", help='To be kept: "ttft p95 < 500ms", "failures < 1%". May repeat.')
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Folder or hub id; the first configured model if left out.")
    ] = None,
    concurrency: o.ConcurrencyOption = None,
    rate: o.RateOption = None,
    prompt_tokens: o.PromptTokensOption = "128",
    output_tokens: o.OutputTokensOption = "64",
    count: Annotated[
        int, typer.Option("--candidates", help="Configurations to try, the present one included.", min=2)
    ] = 12,
    first: Annotated[
        str, typer.Option("--first", help="Length of a run of the first rung; doubles each rung.")
    ] = "15s",
    duration: Annotated[str, typer.Option("--duration", help="Length of each run of the proof.")] = "30s",
    warm_up: o.WarmUpOption = "5s",
    pairs: Annotated[int, typer.Option("--pairs", help="Pairs of runs of the proof; 6 at least.", min=6)] = 8,
    tokenizer: o.TokenizerOption = "auto",
    workers: o.WorkersOption = None,
    seed: o.SeedOption = 1,
    config: ConfigOption = None,
    out: o.OutOption = None,
    as_json: JsonOption = False,
) -> int:
    """Measure configurations of a model on this machine, and recommend the best one if it is proven to be better.

    Each trial is a server of its own. Half of the candidates go on for twice as long, until few are left; the best one
    is then compared with the present configuration by runs in turns. Nothing that makes answers worse is tried.

    \b
    Exit status: 0 a better configuration is proven, 22 none is (the present one is recommended), 130 interrupted: the
    trials until then are kept, and the present configuration is recommended.

    \b
    Examples:
      podium tune --goal throughput-first --concurrency 16 --slo "ttft p95 < 2s"
      podium tune --model ./my-gpt2 --goal latency-first --rate 4 --out tuned
    """
    given: dict[str, Any] = locals()
    objectives = [parse_objective(text) for text in slo or []]
    if concurrency is None and rate is None:
        given["concurrency"] = 8
    settings, entry = _configured(model, config)
    folder = folder_for(out, "tune")
    with LocalServer({**settings, "models": [entry]}) as server:
        kind = _engine_of(server.url)
        plan = prepared(_plan(given, server.url), tokenizer, asyncio.run)
    tried = candidates(choices(kind, os.cpu_count() or 1), _present(entry, kind), count, seed)
    _announce(given, goal, kind, len(tried))
    tuner = Tuner(
        bench=Bench(folder, sys.argv),
        plan=plan,
        goal=goal,
        objectives=objectives,
        settings=settings,
        model=entry,
        engine=kind,
        told=output.note,
    )
    found = tuner.tune(tried, seconds=seconds_in(first, "--first"), pairs=pairs)
    fragment = {"models": [with_changes(entry, kind, found.recommended)]}
    _write(folder, found, fragment)
    if as_json:
        output.document({"tuning": found, "fragment": fragment})
    else:
        _show(found, fragment, folder)
    if found.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if found.proof is not None and found.proof.better else ExitCode.UNDECIDED


def _configured(model: str | None, config: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sections that were set, without the models, and the entry of the model to tune."""
    models = models_from([model] if model else None)
    loaded = settings_from(config, models=models).settings
    given = loaded.model_dump(mode="json", exclude_unset=True)
    entry = loaded.models[0].model_dump(mode="json", exclude_unset=True)
    return {name: section for name, section in given.items() if name != "models"}, {**entry, "load": "start"}


def _engine_of(url: str) -> str:
    answer = httpx.get(f"{url}/models", timeout=10.0, trust_env=False)
    known = msgspec.json.decode(answer.content, type=ModelsAnswer).models
    kind = next(iter(known.values())).engine
    if kind is None:
        raise Failure("the model's server does not say which engine runs it")
    return kind


def _plan(given: dict[str, Any], url: str) -> RunPlan:
    return plan_of(given, url=url, model=None, config=None, requests=None, min_window="0", min_samples=1)


def _present(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """The engine's settings as they are, defaults included; checks that the engine takes settings at all."""
    changed = with_changes(entry, kind, candidates({}, {}, 1, 0)[0])
    try:
        return Model.model_validate(changed).engine.model_dump()
    except pydantic.ValidationError as error:
        found = "; ".join(one["msg"] for one in error.errors())
        raise ConfigurationError(
            f"the configured engine settings do not fit {kind}, the engine here: {found}"
        ) from error


def _announce(given: dict[str, Any], goal: Goal, kind: str, count: int) -> None:
    measured = total_seconds(count, seconds_in(given["first"], "--first"))
    proof = 2 * given["pairs"] * seconds_in(given["duration"], "--duration")
    output.note(f"goal: {GOAL_MEANINGS[goal]}; engine {kind}, {count} candidates")
    output.note(
        f"about {duration_text(measured + proof)} of load, and starting and warming up each server; "
        f"{given['pairs']} pairs of runs for the proof"
    )


def _write(folder: Path, found: Tuning, fragment: dict[str, Any]) -> None:
    (folder / _FRAGMENT).write_text(yaml.safe_dump(fragment, sort_keys=False), "utf-8")
    (folder / _EVIDENCE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def _show(found: Tuning, fragment: dict[str, Any], folder: Path) -> None:
    output.table(
        ["rung", "candidate", "at the goal", "objectives", "memory"],
        [
            (
                trial.rung,
                trial.candidate.name,
                trial.refused or f"{trial.score.value:.4g}",
                "missed" if trial.score.missed else "kept",
                output.byte_text(trial.memory_bytes or None),
            )
            for number in range(max((trial.rung for trial in found.trials), default=-1) + 1)
            for trial in ranked([trial for trial in found.trials if trial.rung == number])
        ],
    )
    output.line("")
    output.line(_verdict(found))
    output.line("")
    output.text(yaml.safe_dump(fragment, sort_keys=False))
    output.note(f"written: {folder / _FRAGMENT}, {folder / _EVIDENCE}; pictures: podium bench report {folder}")


def _verdict(found: Tuning) -> str:
    proof = found.proof
    if found.interrupted:
        return "interrupted before a proof: the present configuration stays"
    if proof is None:
        return "no other configuration could be measured: the present one stays"
    interval = "" if proof.interval is None else f", 95% interval {proof.interval[0]:+.1%} to {proof.interval[1]:+.1%}"
    told = f"{found.best.name}: {proof.change:+.1%} against the present configuration ({proof.pairs} pairs{interval})"
    if proof.better:
        return f"proven better: {told}"
    kept = "; it misses objectives more often" if proof.candidate_missed > proof.default_missed else ""
    most = "" if proof.most_gained is None else f"; with 95% confidence it saves no more than {proof.most_gained:.1%}"
    return f"the present configuration stays: {told}{kept}{most}"
