"""Watching a rollout until it ends or waits for somebody."""

from __future__ import annotations

import sys
import time

from podium.cli import output
from podium.cli.durations import duration_text
from podium.cli.exit_codes import ExitCode
from podium.cli.rollout.connection import RolloutConnection
from podium.cli.rollout.display import display
from podium.cli.rollout.progress import Progress, outcome
from podium.protocols.rollouts import RolloutAnswer

_POLL_SECONDS = 0.5


def should_watch(asked: bool | None, *, as_json: bool) -> bool:  # noqa: FBT001 - an option that may be left out
    """Whether to watch: as asked; else on a terminal, unless a program reads the result."""
    return asked if asked is not None else sys.stdout.isatty() and not as_json


def watch(controller: RolloutConnection, first: RolloutAnswer, *, as_json: bool) -> tuple[RolloutAnswer, ExitCode]:
    """Watch until the rollout is done, rolled back, superseded or held; how it stands then, and the status for that.

    Ctrl-C stops the watching and nothing else.
    """
    progress = Progress(controller, first)
    try:
        with display(as_json=as_json) as show:
            while True:
                look = progress.look()
                show(look)
                status = outcome(look.rollout)
                if status is not None:
                    break
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        _say_that_it_goes_on(first)
        raise
    if not as_json:
        output.prose(conclusion(look.rollout))
    return look.rollout, status


def _say_that_it_goes_on(rollout: RolloutAnswer) -> None:
    output.note(
        f"Stopped watching; the rollout of {rollout.environment} goes on. "
        "`podium rollout status --watch` watches it again, `podium rollout abort` ends it."
    )


def conclusion(rollout: RolloutAnswer) -> str:
    """One sentence about a rollout that has ended or waits for somebody."""
    lasted = duration_text(rollout.phase_since - rollout.started_at)
    environment, reason = rollout.environment, rollout.reason or "no reason was given"
    return {
        "done": f"{environment} has taken over from {rollout.stable} after {lasted}.",
        "rolled-back": f"{environment} was rolled back after {lasted}, {rollout.stable} serves everything: {reason}.",
        "superseded": f"{environment} made room for another rollout after {lasted}: {reason}.",
        "held": f"{environment} is held at {rollout.confirmed:g} %: {reason}. `podium rollout explain` says what next.",
    }[rollout.phase]
