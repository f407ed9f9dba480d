"""``podium bench run``: one load, measured."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podium.bench.measured import with_samples
from podium.bench.plan import RunPlan, check
from podium.bench.preparation import probe, ready
from podium.bench.record import FAILURE_MEANINGS, Outcome, RequestRecord
from podium.bench.result import RunResult, new_folder, save
from podium.bench.run import Run
from podium.bench.sampling import Sampling, save_samples
from podium.cli import output
from podium.cli.bench import run_options as o
from podium.cli.bench.inputs import metrics_urls, plan_from
from podium.cli.bench.live import watching
from podium.cli.bench.summary_table import show_result
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption


def run(
    *,
    url: UrlOption = None,
    model: o.ModelOption = None,
    api: o.ApiOption = "completions",
    stream: o.StreamOption = True,
    inputs: o.InputsOption = 1,
    concurrency: o.ConcurrencyOption = None,
    rate: o.RateOption = None,
    arrivals: o.ArrivalsOption = "poisson",
    burstiness: o.BurstinessOption = 1.0,
    end_rate: o.EndRateOption = None,
    stages: o.StagesOption = None,
    trace: o.TraceOption = None,
    speed: o.SpeedOption = 1.0,
    duration: o.OwnDurationOption = None,
    warm_up: o.WarmUpOption = "5s",
    requests: o.RequestsOption = None,
    think: o.ThinkOption = 0.0,
    prompt_tokens: o.PromptTokensOption = "128",
    output_tokens: o.OutputTokensOption = "64",
    prefix_tokens: o.PrefixOption = 0,
    prefix_groups: o.GroupsOption = 1,
    prompts: o.PromptsOption = None,
    chats: o.ChatsOption = None,
    turns: o.TurnsOption = 1,
    cancel_share: o.CancelShareOption = 0.0,
    cancel_after: o.CancelAfterOption = 8,
    natural_stop: o.NaturalStopOption = False,
    extra: o.ExtraOption = None,
    tokenizer: o.TokenizerOption = "auto",
    objective: o.ObjectiveOption = None,
    workers: o.WorkersOption = None,
    seed: o.SeedOption = 1,
    timeout: o.TimeoutOption = 600.0,
    min_window: o.MinWindowOption = "30s",
    min_samples: o.MinSamplesOption = 64,
    allow_cached: o.AllowCachedOption = False,
    insecure: o.InsecureOption = False,
    ca_file: o.CaFileOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    metrics: o.MetricsOption = None,
    out: o.OutOption = None,
    as_json: JsonOption = False,
) -> int:
    """Send a load to a server and measure it; exit status 20 when the figures must not be believed.

    Before it, three seconds against a server that does nothing show what this client reaches. Ctrl-C ends the run
    early and keeps what was measured.

    \b
    Examples:
      podium bench run --rate 20 --duration 2m --objective ttft=0.5 --objective tpot=0.05
      podium bench run --concurrency 16 --api chat --turns 4 --prompt-tokens 200:50
      podium bench run --rate 5 --end-rate 50 --arrivals ramp --url http://127.0.0.1:8000 --model gpt2
      podium bench run --concurrency 8 --api embeddings --inputs 16
      podium bench run --trace azure.csv --speed 10 --out runs/azure
    """
    given: dict[str, Any] = locals()
    plan = plan_from(given)
    found = metrics_urls(given, plan.target.url)
    return _measure(plan, tokenizer, out or _free_folder(), metrics=found, as_json=as_json)


def _measure(plan: RunPlan, tokenizer: str, folder: Path, *, metrics: Sequence[str], as_json: bool) -> int:
    check(plan)
    new_folder(folder)
    whole = ready(plan, tokenizer)
    output.note(f"asking {plan.target.url} once, and measuring what this client reaches")
    _need_an_answer(asyncio.run(probe(whole)), whole)
    with Sampling(metrics) as sampling, watching(quiet=as_json) as watch:
        job = Run(whole, name=folder.name, command=sys.argv, watch=with_samples(watch, sampling))
        result = asyncio.run(_until_saved(job, folder, sampling))
    if as_json:
        output.document(result)
    else:
        show_result(result, folder)
    if job.stopped:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if result.valid else ExitCode.INVALID_RUN


async def _until_saved(job: Run, folder: Path, sampling: Sampling) -> RunResult:
    """Ctrl-C ends the run early; while it is read and written, one more changes nothing."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, job.stop)
    try:
        result, records = await job.go()
        save(folder, result, records)
        save_samples(folder, list(sampling.samples))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return result


def _need_an_answer(record: RequestRecord, plan: RunPlan) -> None:
    """Raises ``Failure`` with the failure class when the target cannot answer one request of the plan."""
    if record.outcome is Outcome.OK or record.failure is None:
        return
    meaning = FAILURE_MEANINGS[record.failure]
    detail = f" ({record.detail})" if record.detail else ""
    raise Failure(
        f"{plan.target.url} does not answer a request of this load: {record.failure}: {meaning}{detail}; nothing was "
        "measured",
        ExitCode.NOT_READY,
    )


def _free_folder() -> Path:
    return Path("runs") / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
