"""``podium rollout status``: where the rollout stands."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import rollouts_at
from podium.cli.rollout.picture import picture
from podium.cli.rollout.progress import Progress
from podium.cli.rollout.watching import watch


def status(
    *,
    watching: Annotated[
        bool, typer.Option("--watch", help="Stay and show progress until it ends or waits for somebody.")
    ] = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show the rollout that runs, or the last one: steps, share, evidence, counts, verdict and newest events.

    \b
    Exit status with --watch: 0 done, 10 rolled back, 11 held or superseded; without it 0.

    \b
    Examples:
      podium rollout status
      podium rollout status --watch
      podium rollout status --json
    """
    with rollouts_at(url, key_file, config) as controller:
        rollout, ended = controller.current(), ExitCode.OK
        if watching:
            rollout, ended = watch(controller, rollout, as_json=as_json)
        elif not as_json:
            look = Progress(controller, rollout).look()
            output.drawing(picture(look.rollout, look.newest, time.time()))
    if as_json:
        output.document(rollout)
    return ended
