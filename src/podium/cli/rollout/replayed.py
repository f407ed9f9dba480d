"""What a replay found, for a person and for a program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.rollout.sparkline import sparkline
from podium.rollout.analysis.judgement import minutes_at
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict
from podium.rollout.replay import Look, Replay

_STATUSES: dict[type[Verdict], ExitCode] = {
    Advance: ExitCode.OK,
    Rollback: ExitCode.ROLLBACK,
    Hold: ExitCode.HOLD,
}
_MOST_ROWS = 12
_SPARKLINE_COLUMNS = 60


def tell(
    played: Replay,
    policy: Policy,
    shares: Sequence[float],
    *,
    as_json: bool,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> ExitCode:
    """Print the verdict and how it came about; the status says the same.

    ``shares``: those of the steps, 0 to 1. ``about``: what else a program is told.
    """
    larger = _larger_share(played.last, policy, shares)
    if as_json:
        output.document({**about, **_document(played, larger)})
    else:
        _print(played, policy, larger)
    return _STATUSES[type(played.last.verdict)]


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
    output.line(
        f"evidence  {sparkline([look.log_e for look in played.looks], policy.log_alarm, columns=_SPARKLINE_COLUMNS)}"
    )
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
