"""``podium rollout judge``: a verdict from counts that anybody recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.cli.rollout.replayed import tell
from podium.core.errors import InvalidRequest
from podium.rollout.configured import policy_of, weights_of
from podium.rollout.recording import Layout, Recording, parse_recording
from podium.rollout.replay import replay


def judge(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with a header line, or JSON lines; one row for each interval.", metavar="FILE"),
    ],
    *,
    share: Annotated[
        float | None,
        typer.Option("--share", help="The canary's declared part of traffic, 0 to 1, where the file names none."),
    ] = None,
    max_bad_rate_increase: Annotated[
        float | None, typer.Option("--max-bad-rate-increase", help="How much the bad rate may grow; 0.01 is a point.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option("--alpha", help="Chance that a good canary is rolled back; 0.01 is 1 %.")
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> int:
    """Judge a canary from counts that any traffic splitter recorded, as if looked at after every interval.

    \b
    A row has interval, stable_attempts, stable_bad, canary_attempts and canary_bad. It may have share,
    and for stable_ and canary_ each: aborted, invalid, assigned, ttft_seconds, itl_seconds (durations
    separated by spaces in CSV, lists in JSON). All other numbers are those of the group `rollout`.

    \b
    Exit status: 0 advance, 10 rollback, 11 hold, 2 when the file cannot be used.

    \b
    Examples:
      podium rollout judge counts.csv --share 0.1
      podium rollout judge counts.jsonl --share 0.05 --alpha 0.001 --json
      podium rollout judge counts.csv --share 0.5 --set rollout.interval_seconds=60
    """
    flags = {"rollout__alpha": alpha, "rollout__max_bad_rate_increase": max_bad_rate_increase}
    settings = settings_from(config, assignments, **flags).settings.rollout
    policy = policy_of(settings)
    try:
        played = replay(_recording(file), policy, weights_of(settings.weights), _share(share))
    except InvalidRequest as error:
        raise Failure(f"{file}: {error.message}", ExitCode.USAGE) from error
    return tell(played, policy, [step / 100 for step in settings.steps], as_json=as_json)


def _share(share: float | None) -> float | None:
    if share is not None and not 0 < share <= 1:
        raise Failure(f"--share {share:g}; needed: above 0, at most 1 (0.1 is 10 %)", ExitCode.USAGE)
    return share


def _recording(file: Path) -> Recording:
    layouts: dict[str, Layout] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    layout = layouts.get(file.suffix.lower())
    if layout is None:
        raise Failure(f"{file}: the name should end in {', '.join(layouts)}, which says what it holds", ExitCode.USAGE)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}; name a file that can be read", ExitCode.USAGE) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: byte {error.start} is not UTF-8; save it as UTF-8", ExitCode.USAGE) from error
    return parse_recording(text, layout)
