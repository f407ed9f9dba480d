"""``podium rollout events``: the log, line by line."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli import output
from podium.cli.durations import clock_text, time_text
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import rollouts_at
from podium.cli.rollout.event_words import event_text
from podium.protocols.rollouts import EventBody


def events(
    *,
    after: Annotated[int, typer.Option("--after", help="Only later events than this number.", min=0)] = 0,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what happened: every decision, confirmation and verdict, who did it, and the phase that followed.

    \b
    Examples:
      podium rollout events
      podium rollout events --after 120 --json
    """
    with rollouts_at(url, key_file, config) as controller:
        answer = controller.whole_log(after)
    if as_json:
        output.document(answer)
        return
    columns = ("number", "at", "rollout", "actor", "event", "phase")
    output.table(columns, [_row(event) for event in answer.events])


def _row(event: EventBody) -> tuple[object, ...]:
    at = f"{(time_text(event.at) or '')[:10]} {clock_text(event.at)} UTC"
    return event.seq, at, event.rollout, event.actor, event_text(event), event.phase
