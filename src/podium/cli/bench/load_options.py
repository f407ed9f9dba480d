"""The load of the commands that measure more than once, as a plan: theirs are fewer options than those of one run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podium.bench.plan import RunPlan, check
from podium.bench.preparation import probe, ready
from podium.bench.record import FAILURE_MEANINGS, Outcome
from podium.bench.result import new_folder
from podium.cli.bench.inputs import plan_from
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure

_NOT_OFFERED: dict[str, Any] = {
    "url": None,
    "model": None,
    "api": "completions",
    "concurrency": None,
    "rate": None,
    "arrivals": "poisson",
    "burstiness": 1.0,
    "end_rate": None,
    "stages": None,
    "trace": None,
    "speed": 1.0,
    "requests": None,
    "think": 0.0,
    "prefix_tokens": 0,
    "prefix_groups": 1,
    "prompts": None,
    "chats": None,
    "turns": 1,
    "stream": True,
    "inputs": 1,
    "cancel_share": 0.0,
    "cancel_after": 8,
    "natural_stop": False,
    "allow_cached": False,
    "extra": None,
    "objective": None,
    "workers": None,
    "timeout": 600.0,
    "min_window": "30s",
    "min_samples": 64,
    "insecure": False,
    "ca_file": None,
    "key_file": None,
    "config": None,
}


def plan_of(given: Mapping[str, Any], **more: Any) -> RunPlan:
    """The plan of the options of a command (its ``locals()``), by their names; what it does not offer is usual."""
    return check(plan_from({**_NOT_OFFERED, **given, **more}))


def prepared(plan: RunPlan, tokenizer: str, run: Any) -> RunPlan:
    """The plan with prompts for its target. ``run`` carries a coroutine out. Raises ``Failure`` when nobody answers."""
    whole = ready(plan, tokenizer)
    record = run(probe(whole))
    if record.outcome is not Outcome.OK and record.failure is not None:
        detail = f" ({record.detail})" if record.detail else ""
        raise Failure(
            f"{plan.target.url} does not answer a request of this load: {record.failure}: "
            f"{FAILURE_MEANINGS[record.failure]}{detail}; nothing was measured",
            ExitCode.NOT_READY,
        )
    return whole


def folder_for(out: Path | None, what: str) -> Path:
    """A new folder for results: ``out``, else ``runs/WHAT-TIME``."""
    folder = out or Path("runs") / f"{what}-{datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')}"
    new_folder(folder)
    return folder
