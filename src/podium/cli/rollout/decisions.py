"""``podium rollout approve``, ``abort`` and ``promote``: what a person decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import Decision, rollouts_at

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")]

NumberOption = Annotated[
    int | None,
    typer.Option("--number", help="The rollout that is meant, as `status` shows it; another one is left as it is."),
]


def _command(decision: Decision, told: str) -> Callable[..., None]:
    """The command of a decision. ``told``: its help."""

    def decide(
        *,
        reason: ReasonOption = "",
        number: NumberOption = None,
        url: UrlOption = None,
        key_file: KeyFileOption = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        with rollouts_at(url, key_file, config) as controller:
            rollout = controller.decide(decision, reason, number)
        if as_json:
            output.document(rollout)
            return
        words = f"rollout {rollout.number} of {rollout.environment} is {rollout.phase}"
        output.line(f"{words}; {rollout.waits_for}" if rollout.waits_for and not rollout.ended else words)

    decide.__doc__ = told
    return decide


approve = _command(
    "approve",
    """Let a held rollout go on, as if what it waited for had happened.

    \b
    Examples:
      podium rollout approve
      podium rollout approve --reason "the shop was closed, no traffic is normal"
    """,
)
abort = _command(
    "abort",
    """Take all traffic from the canary; its revision is not tried again.

    \b
    Examples:
      podium rollout abort
      podium rollout abort --number 3 --reason "wrong checkpoint"
    """,
)
promote = _command(
    "promote",
    """Send all traffic to the canary now, without waiting for proof. The log says who did it and why.

    \b
    Examples:
      podium rollout promote --reason "fixes an outage of the stable version"
    """,
)
