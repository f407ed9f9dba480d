"""``podium bench sweep``: server configurations under loads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pydantic
import typer
import yaml

from podium.bench.local_server import LocalServer
from podium.bench.local_stack import LocalStack
from podium.bench.measured import Bench, Measured
from podium.bench.plan import Load
from podium.bench.sweep import Changes, Point, changed, grid
from podium.bench.sweep import sweep as run_sweep
from podium.cli import output
from podium.cli.bench import run_options as o
from podium.cli.bench.load_options import folder_for, plan_of, prepared
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, models_from, settings_from
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError

_FILE = "sweep.json"
_COLUMNS = ["configuration", "load", "", "answered/s", "tokens/s", "TTFT p95", "run"]


def sweep(
    *,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", help="models.0.engine.max_batch_tokens=64,256. May repeat.", metavar="PATH=VALUES"),
    ] = None,
    rates: Annotated[str | None, typer.Option("--rates", help="Open loops, requests per second: 1,2,4.")] = None,
    concurrencies: Annotated[str | None, typer.Option("--concurrencies", help="Closed loops: 1,8,64.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Folder or hub id, instead of configured models.")
    ] = None,
    replicas: Annotated[
        str | None, typer.Option("--replicas", help="Servers behind a gateway of `podium up`: 1,2,4.")
    ] = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="Measure through a gateway; --replicas has one.")] = False,
    api: o.ApiOption = "completions",
    duration: o.DurationOption = "60s",
    warm_up: o.WarmUpOption = "5s",
    prompt_tokens: o.PromptTokensOption = "128",
    output_tokens: o.OutputTokensOption = "64",
    tokenizer: o.TokenizerOption = "auto",
    objective: o.ObjectiveOption = None,
    workers: o.WorkersOption = None,
    seed: o.SeedOption = 1,
    min_window: o.MinWindowOption = "30s",
    min_samples: o.MinSamplesOption = 64,
    config: ConfigOption = None,
    out: o.OutOption = None,
    as_json: JsonOption = False,
) -> int:
    """Measure every combination of server settings under every load.

    Each configuration is a server of its own, started and stopped here; `podium bench report` draws the pictures.
    Ctrl-C keeps the runs that are over.

    \b
    Exit status: 0 every run may be believed, 20 one may not or has no server, 130 interrupted.

    \b
    Examples:
      podium bench sweep --rates 1,2,4,8
      podium bench sweep --vary models.0.engine.max_batch_tokens=64,256,1024 --concurrencies 1,8,32
      podium bench sweep --replicas 1,2 --concurrencies 8,32
      podium bench sweep --vary cache.store=off,memory --vary models.0.engine.threads=1,2 --rates 4
    """
    given: dict[str, Any] = locals()
    loads = _loads(rates, concurrencies)
    base = _settings(model, config)
    serve = LocalStack if gateway or replicas is not None else LocalServer
    points = grid(_all_varied(vary or [], replicas, base))
    for changes in points:
        _check(changed(base, changes), changes)
    folder = folder_for(out, "sweep")
    with serve(changed(base, points[0])) as server:
        first = plan_of(given, url=server.url, model=None, config=None, **_first(loads[0]))
        plan = prepared(first, tokenizer, asyncio.run)
    every = [msgspec.structs.replace(load, seconds=plan.load.seconds) for load in loads]
    output.note(f"{len(points)} configurations, {len(every)} loads each")
    results: list[tuple[Point, Measured | None]] = []

    def told(point: Point, measured: Measured | None) -> None:
        results.append((point, measured))
        output.note(f"{len(results)}: {_words(point.changes)}, {point.load or point.refused}")

    bench = Bench(folder, sys.argv)
    interrupted = _is_interrupted(lambda: run_sweep(bench, plan, base, points, every, told, serve))
    found = [point for point, _ in results]
    (folder / _FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if as_json:
        output.document(found)
    else:
        output.table(_COLUMNS, [_row(*r) for r in results])
        output.note(f"pictures: podium bench report {folder}")
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if all(m is not None and m.result.valid for _, m in results) else ExitCode.INVALID_RUN


def _is_interrupted(work: Callable[[], object]) -> bool:
    """Whether Ctrl-C ended ``work``."""
    try:
        work()
    except KeyboardInterrupt:
        return True
    return False


def _all_varied(vary: list[str], replicas: str | None, base: dict[str, Any]) -> dict[str, list[Any]]:
    found = dict(_varied(text) for text in vary)
    if replicas is not None:
        stable = Settings.model_validate(base).gateway.stable_name
        found[f"gateway.environments.{stable}.replicas"] = [int(n) for n in _numbers(replicas, "--replicas")]
    return found


def _loads(rates: str | None, concurrencies: str | None) -> list[Load]:
    if (rates is None) == (concurrencies is None):
        raise Failure("one of --rates and --concurrencies is needed", ExitCode.USAGE)
    if rates is not None:
        return [Load(kind="poisson", rate=value, end_rate=value) for value in _numbers(rates, "--rates")]
    users = _numbers(concurrencies or "", "--concurrencies")
    return [Load(kind="closed", concurrency=max(1, int(value))) for value in users]


def _numbers(text: str, option: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise Failure(f"{option} {text}: numbers above 0 are needed, joined by commas: 1,2,4", ExitCode.USAGE)
    return found


def _first(load: Load) -> dict[str, Any]:
    return {"concurrency": load.concurrency} if load.kind == "closed" else {"rate": load.rate}


def _varied(text: str) -> tuple[str, list[Any]]:
    path, equals, values = text.partition("=")
    if not equals or not values:
        raise Failure(f"--vary {text}: PATH=VALUE,VALUE is needed", ExitCode.USAGE)
    # A word stays a word: YAML's `off` would be false, and settings are called `off`.
    return path, [value if value in {"off", "on"} else yaml.safe_load(value) for value in values.split(",")]


def _settings(model: str | None, config: Path | None) -> dict[str, Any]:
    loaded = settings_from(config, models=models_from([model] if model else None)).settings
    given: dict[str, Any] = loaded.model_dump(mode="json", exclude_unset=True)
    return {**given, "models": [one.model_dump(mode="json", exclude_unset=True) for one in loaded.models]}


def _check(settings: dict[str, Any], changes: Changes) -> None:
    try:
        Settings.model_validate(settings)
    except pydantic.ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(
            f"{_words(changes)}: {found}; engine settings need an engine with a name, such as `engine: openvino`"
        ) from error


def _words(changes: Changes) -> str:
    return ", ".join(f"{path.rpartition('.')[2]} {value}" for path, value in changes.items()) or "as configured"


def _row(point: Point, measured: Measured | None) -> tuple[str, ...]:
    summary = None if measured is None else measured.result.summary
    if summary is None:
        state = "no server" if measured is None else "INVALID"
        return (_words(point.changes), point.load, state, "", "", "", point.run or point.refused)
    ttft = summary.ttft_scheduled.at(95)
    return (
        _words(point.changes),
        point.load,
        "valid",
        f"{summary.request_throughput:.2f}",
        f"{summary.output_throughput:.1f}",
        "-" if ttft is None else f"{ttft * 1000:.1f} ms",
        point.run,
    )
