"""``podium rollout history``: every rollout that there was."""

from __future__ import annotations

from podium.cli import output
from podium.cli.durations import duration_text, time_text
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import rollouts_at
from podium.protocols.rollouts import RolloutSummary


def history(
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rollouts of the past and the one that runs, newest first.

    \b
    Examples:
      podium rollout history
      podium rollout history --json
    """
    with rollouts_at(url, key_file, config) as controller:
        answer = controller.all()
    if as_json:
        output.document(answer)
        return
    columns = ("number", "environment", "revision", "strategy", "began", "lasted", "highest", "phase", "reason")
    output.table(columns, [_row(summary) for summary in answer.rollouts])


def _row(summary: RolloutSummary) -> tuple[object, ...]:
    lasted = None if summary.ended_at is None else duration_text(summary.ended_at - summary.started_at)
    return (
        summary.number,
        summary.environment,
        summary.revision,
        summary.strategy,
        time_text(summary.started_at),
        lasted,
        f"{summary.highest_step:g} %",
        summary.phase,
        summary.reason or None,
    )
