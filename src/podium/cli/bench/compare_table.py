"""A comparison for a person."""

from __future__ import annotations

import math

from podium.bench.comparison.verdict import Comparison, Difference, Verdict
from podium.cli import output

_WORDS = {
    Verdict.WORSE: "B is worse",
    Verdict.BETTER: "B is better",
    Verdict.EQUAL: "B equals A",
    Verdict.UNKNOWN: "no difference is proven, and no equality either",
}


def show_comparison(found: Comparison) -> None:
    """Print verdict, figures with intervals, and what could have been found."""
    output.line(f"{_WORDS[found.verdict]} ({found.runs_a} runs of A, {found.runs_b} of B; {found.test})")
    output.line("")
    share = f"{1 - found.alpha:.0%}"
    output.table(
        ["figure", "A", "B", "B against A", f"{share} interval", "p (Holm)", "runs differ by", "verdict"],
        [_row(one) for one in found.differences],
    )
    for name, why in found.left_out.items():
        output.note(f"{name} is not compared: {why}")
    found_words = "no change at all" if math.isinf(found.detectable) else f"a change of {found.detectable:.1%}"
    output.note(f"so many runs, differing as these do, find {found_words} in every figure with 90 % probability")
    if found.test.startswith("permutation"):
        output.note("the runs were not taken in turns: whatever else changed between them counts as B's doing")


def _row(one: Difference) -> tuple[str, ...]:
    interval = "too few runs" if one.interval is None else f"{one.interval[0]:+.1%} to {one.interval[1]:+.1%}"
    p = f"{one.adjusted_p_value:.3g}"
    return (
        one.metric, _value(one.a, one.unit), _value(one.b, one.unit), f"{one.change:+.1%}", interval, p,
        f"{one.noise:.1%}", one.verdict,
    )  # fmt: skip


def _value(value: float, unit: str) -> str:
    return f"{value * 1000:.1f} ms" if unit == "seconds" else f"{value:.2f}/s"
