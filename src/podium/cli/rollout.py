"""``podium rollout``: judging a new version against the old one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.core.errors import InvalidRequest
from podium.rollout.analysis.judgement import minutes_at
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict
from podium.rollout.configured import policy_of, weights_of
from podium.rollout.recording import Layout, Recording, parse_recording
from podium.rollout.replay import Look, Replay, replay

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Judge a new version against the old one.\n\n\b\nExamples:\n  podium rollout judge counts.csv --share 0.1",
)

_STATUSES: dict[type[Verdict], ExitCode] = {
    Advance: ExitCode.OK,
    Rollback: ExitCode.ROLLBACK,
    Hold: ExitCode.HOLD,
}
_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_ROWS = 12
_SPARKLINE_COLUMNS = 60


@app.command(short_help="Judge a canary from recorded counts.")
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
    larger = _larger_share(played.last, policy, [step / 100 for step in settings.steps])
    if as_json:
        output.document(_document(played, larger))
    else:
        _print(played, policy, larger)
    return _STATUSES[type(played.last.verdict)]


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


def _larger_share(last: Look, policy: Policy, shares: Sequence[float]) -> tuple[float, float] | None:
    """The next configured share that would end a hold sooner, and in how many minutes."""
    if not isinstance(last.verdict, Hold) or not last.verdict.needs_canary_requests:
        return None
    for share in shares:
        if last.share < share < 1:
            minutes = minutes_at(last.evidence, policy, share)
            return None if minutes is None else (share, minutes)
    return None


def _print(played: Replay, policy: Policy, larger: tuple[float, float] | None) -> None:
    verdict = played.last.verdict
    output.line(f"{_word(verdict)} ({verdict.reason}): {verdict.sentence}")
    output.line(f"since interval {played.decided.interval}, {len(played.looks):,} intervals read")
    if larger is not None:
        output.line(f"at a share of {larger[0]:.0%} it would take about {larger[1]:.3g} minutes")
    output.line("")
    columns = ("interval", "share", "stable bad", "canary bad", "evidence, to 1", "verdict")
    output.table(columns, [_cells(look) for look in _shown(played)])
    output.line("")
    output.line(f"evidence  {_sparkline([look.log_e for look in played.looks], policy.log_alarm)}")
    output.line(f"          lowest to highest block: 1 to {1 / policy.alpha:,.4g}, where the canary is rolled back")


def _shown(played: Replay) -> list[Look]:
    """Some looks over time, and in any case the first of each verdict and the last."""
    every = max(1, math.ceil(len(played.looks) / _MOST_ROWS))
    kept = []
    before: str | None = None
    for number, look in enumerate(played.looks):
        word = _word(look.verdict)
        if word != before or number % every == every - 1 or look is played.last:
            kept.append(look)
        before = word
    return kept


def _cells(look: Look) -> tuple[object, ...]:
    total = look.evidence.totals["errors"]
    return (
        look.interval,
        f"{look.share:.3g}",
        f"{total.stable_bad} of {total.stable_attempts:,}",
        f"{total.canary_bad} of {total.canary_attempts:,}",
        _odds(look.log_e),
        f"{_word(look.verdict)} ({look.verdict.reason})",
    )


def _odds(log_e: float) -> str:
    return f"{math.exp(log_e):,.3g}" if log_e < math.log(1e6) else f"10^{log_e / math.log(10):,.0f}"


def _sparkline(logs: Sequence[float], alarm: float) -> str:
    """Evidence over time, the highest of each stretch; no evidence is the lowest block, an alarm the highest."""
    size = max(1, math.ceil(len(logs) / _SPARKLINE_COLUMNS))
    highest = [max(logs[begin : begin + size]) for begin in range(0, len(logs), size)]
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[min(top, max(0, math.floor(log / alarm * top)))] for log in highest)


def _document(played: Replay, larger: tuple[float, float] | None) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(played.last.verdict),
        "since_interval": played.decided.interval,
        "larger_share": None if larger is None else {"share": larger[0], "about_minutes": larger[1]},
        "log_e_by_metric": dict(sorted(played.last.evidence.log_es.items())),
        "looks": [
            {
                "interval": look.interval,
                "share": look.share,
                "log_e": look.log_e,
                "verdict": _word(look.verdict),
                "reason": look.verdict.reason,
            }
            for look in played.looks
        ],
    }


def _word(verdict: Verdict) -> str:
    return str(type(verdict).__struct_config__.tag)
