"""Watching a rollout until it ends or waits for somebody: drawn on a terminal, in lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.text import Text

from podium.cli import output
from podium.cli.durations import duration_text
from podium.cli.exit_codes import ExitCode
from podium.cli.rollout.change_line import change_line, standing
from podium.cli.rollout.connection import RolloutConnection
from podium.cli.rollout.picture import picture
from podium.cli.rollout.progress import Look, Progress, outcome
from podium.protocols.rollouts import RolloutAnswer

_POLL_SECONDS = 0.5
SILENT = "the controller does not answer; the gateway goes on as it is, and so does this watch"


def should_watch(asked: bool | None, *, as_json: bool) -> bool:  # noqa: FBT001 - an option that may be left out
    """Whether to watch: as asked; else on a terminal, unless a program reads the result."""
    return asked if asked is not None else sys.stdout.isatty() and not as_json


def watch(controller: RolloutConnection, first: RolloutAnswer, *, as_json: bool) -> tuple[RolloutAnswer, ExitCode]:
    """Watch until the rollout is done, rolled back, superseded or held; how it stands then, and the status for that.

    With ``as_json`` lines go to standard error. Ctrl-C stops the watching and nothing else.
    """
    progress = Progress(controller, first)
    drawn = sys.stdout.isatty() and not as_json
    try:
        last = _draw(progress) if drawn else _write(progress, output.note if as_json else output.line)
    except KeyboardInterrupt:
        _say_that_it_goes_on(first)
        raise
    ended = outcome(last)
    assert ended is not None, "this is a bug: watched until it ended"  # noqa: S101
    if not as_json:
        output.line(conclusion(last))
    return last, ended


def _draw(progress: Progress) -> RolloutAnswer:
    with output.screen() as screen:
        while True:
            look = progress.look()
            screen.show(_picture(look))
            if outcome(look.rollout) is not None:
                return look.rollout
            time.sleep(_POLL_SECONDS)


def _picture(look: Look) -> RenderableType:
    drawn = picture(look.rollout, look.newest, time.time())
    return Group(drawn, Text(SILENT, "yellow")) if look.silent else drawn


def _write(progress: Progress, say: Callable[[str], None]) -> RolloutAnswer:
    said: tuple[object, ...] | None = None
    silent = False
    while True:
        look = progress.look()
        silent = _mention_silence(look, silent)
        if standing(look.rollout) != said:
            say(change_line(look.rollout, time.time()))
            said = standing(look.rollout)
        if outcome(look.rollout) is not None:
            return look.rollout
        time.sleep(_POLL_SECONDS)


def _mention_silence(look: Look, before: bool) -> bool:  # noqa: FBT001 - a state, not a switch
    if look.silent and not before:
        output.warning(SILENT)
    return look.silent


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
