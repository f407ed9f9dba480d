"""``podium rollout replay``: a rollout of the past, judged by another policy."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption
from podium.cli.rollout.history_file import HistoryArgument, history_file
from podium.cli.rollout.replayed import tell
from podium.cli.rollout.request import AlphaOption, IncreaseOption
from podium.core.errors import PodiumError
from podium.rollout.analysis.policy import Policy
from podium.rollout.recorded import RecordedRollout, recorded
from podium.rollout.replay import replay as judged
from podium.rollout.state import WHOLE


def replay(
    file: HistoryArgument = None,
    *,
    number: Annotated[int | None, typer.Option("--number", help="Which rollout; the newest if left out.")] = None,
    alpha: AlphaOption = None,
    max_bad_rate_increase: IncreaseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Judge the intervals that a rollout recorded, as if it had been started with other numbers. Changes nothing.

    What was counted stays what it was: steps are taken when they were taken, whatever this policy says of them.

    \b
    Exit status: 0 advance, 10 rollback, 11 hold, 2 when the history cannot be used.

    \b
    Examples:
      podium rollout replay
      podium rollout replay --alpha 0.001
      podium rollout replay podium-rollouts.db --number 2 --max-bad-rate-increase 0.02 --json
    """
    found = _recorded(history_file(file, config), number)
    terms = found.started.terms
    policy = _changed(terms.policy, alpha, max_bad_rate_increase)
    played = judged(found.recording, policy, terms.weights, None)
    about = {"rollout": found.number, "phase": found.phase, "alpha": policy.alpha}
    if not as_json:
        because = f": {found.reason}" if found.reason else ""
        output.line(f"rollout {found.number} of {terms.environment} over {terms.stable} is {found.phase}{because}")
        output.line(
            f"judged with alpha {policy.alpha:g} (then {terms.policy.alpha:g}), a bad rate may grow by "
            f"{policy.max_bad_rate_increase:g} (then {terms.policy.max_bad_rate_increase:g}):"
        )
        output.line("")
    return tell(played, policy, [step / WHOLE for step in found.started.steps], as_json=as_json, about=about)


def _recorded(file: Path, number: int | None) -> RecordedRollout:
    try:
        return recorded(file, number)
    except PodiumError as error:
        raise Failure(f"{file}: {error.message}", ExitCode.USAGE) from error
    except (sqlite3.Error, msgspec.ValidationError) as error:
        raise Failure(f"{file}: {error}; `podium rollout verify-log {file}` says more", ExitCode.USAGE) from error


def _changed(policy: Policy, alpha: float | None, max_bad_rate_increase: float | None) -> Policy:
    """The policy of then with what is given. Raises Failure for what is no probability."""
    given = {"alpha": alpha, "max_bad_rate_increase": max_bad_rate_increase}
    changes = {name: value for name, value in given.items() if value is not None}
    for name, value in changes.items():
        if not 0 < value < 1:
            option = f"--{name.replace('_', '-')}"
            raise Failure(f"{option} {value:g}; needed: above 0, below 1 (0.01 is 1 %)", ExitCode.USAGE)
    return msgspec.structs.replace(policy, **changes)
