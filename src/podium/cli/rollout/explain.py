"""``podium rollout explain``: why the rollout stands where it does, in sentences."""

from __future__ import annotations

import time

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import rollouts_at
from podium.cli.rollout.explanation import explanation


def explain(
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why the rollout stands where it does, what is waited for, what would end it, and what you can do.

    \b
    Examples:
      podium rollout explain
      podium rollout explain --json
    """
    with rollouts_at(url, key_file, config) as controller:
        rollout = controller.current()
    said = explanation(rollout, time.time())
    if as_json:
        output.document({"rollout": rollout.number, "phase": rollout.phase, **said.document()})
        return
    for paragraph in said.paragraphs():
        output.line(paragraph)
