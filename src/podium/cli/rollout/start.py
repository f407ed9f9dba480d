"""``podium rollout start``: let an environment take over, step by step."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import RolloutConnection, rollouts_at
from podium.cli.rollout.plan import show_plan
from podium.cli.rollout.request import with_request_options
from podium.cli.rollout.watching import should_watch, watch
from podium.protocols.rollouts import RolloutAnswer, RolloutRequest

_LEAVING = {"aborting", "draining-canary"}
_PAUSE_SECONDS = 0.1

WatchOption = Annotated[
    bool | None,
    typer.Option("--watch/--no-watch", help="Whether to stay and show progress; on a terminal it does."),
]


@with_request_options
def start(
    request: RolloutRequest,
    *,
    watching: WatchOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show the plan, start the rollout, and watch it. It goes on when this command ends.

    \b
    Exit status after watching: 0 done, 10 rolled back, 11 held or superseded; without watching 0.
    Ctrl-C stops the watching only.

    \b
    Examples:
      podium rollout start green
      podium rollout start green --steps 10,50,100 --revision 2026-11-27
      podium rollout start green --strategy linear --step-count 10 --duration 1h
      podium rollout start green --no-watch --json
    """
    with rollouts_at(url, key_file, config) as controller:
        return _started(controller, request, watched=should_watch(watching, as_json=as_json), as_json=as_json)


def _started(controller: RolloutConnection, request: RolloutRequest, *, watched: bool, as_json: bool) -> int:
    if not as_json:
        show_plan(controller.plan(request))
        output.line("")
    rollout, status = controller.start(request), ExitCode.OK
    if watched:
        rollout, status = watch(controller, _begun(controller, rollout, as_json=as_json), as_json=as_json)
    if as_json:
        output.document(rollout)
    elif not watched:
        output.line(f"rollout {rollout.number} has begun; `podium rollout status --watch` shows how it goes")
    return status


def _begun(controller: RolloutConnection, rollout: RolloutAnswer, *, as_json: bool) -> RolloutAnswer:
    """The rollout that was wanted: where another one has to make room first, it begins once that is gone."""
    if rollout.phase not in _LEAVING:
        return rollout
    gone, _ = watch(controller, rollout, as_json=as_json)
    while (next_one := controller.current()).number == gone.number:
        time.sleep(_PAUSE_SECONDS)
    return next_one
