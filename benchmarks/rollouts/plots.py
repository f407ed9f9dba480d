"""The plots of the page, from its raw file."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.rollouts.outcome import acted_share, shares_by_minute
from benchmarks.rollouts.plot import Axis, Line, bar_plot, line_plot

Records = list[dict[str, Any]]
_MINUTES = Axis("minutes", 0, 60, range(0, 61, 10))


def plots(records: Records) -> dict[str, str]:
    """Every plot by its file name."""
    return {
        "rollouts-evidence.svg": _evidence(records),
        "rollouts-false-alarms.svg": _false_alarms(records),
        "rollouts-detection.svg": _detection(records),
        "rollouts-requests.svg": _requests(records),
    }


def _evidence(records: Records) -> str:
    labels = ("canary as good as stable", "canary 4 times as bad")
    found = [record for record in records if record["kind"] == "paths"]
    lines = [
        Line(label, [(0, 1), *((minute + 1, math.exp(min(log, 30))) for minute, log in enumerate(path))], faint=True)
        for label, record in zip(labels, found, strict=True)
        for path in record["log_e"]
    ]
    y = Axis("evidence, to 1", 0.001, 1e6, [10.0**n for n in range(-3, 7)], logarithmic=True)
    return line_plot("Evidence against the canary, 15 runs each", _MINUTES, y, lines, (100, "rolled back from here on"))


def _false_alarms(records: Records) -> str:
    record = next(record for record in records if record["kind"] == "table")
    rules = ("e-process", "Fisher", "95 %, limit 0", "99 %, threshold 5", "99 %, threshold 10")
    shares = [(rule, 100 * acted_share(record["acted"][rule])) for rule in rules]
    y = Axis("% of good canaries rolled back", 0, 110, range(0, 101, 20))
    return bar_plot(
        "A canary as good as stable, one hour at 10 requests/s", y, [(rule, v, f"{v:.3g} %") for rule, v in shares]
    )


def _detection(records: Records) -> str:
    names = {
        "4 times as bad": "4 times as bad, 10/s, 10 %",
        "10 times as bad": "10 times as bad, 10/s, 10 %",
        "10 times as bad, 0.5/s, 50 %": "10 times as bad, 0.5/s, 50 %",
        "10 times as bad, 0.5/s, 10 %": "10 times as bad, 0.5/s, 10 %",
    }
    by_name = {record["case"]["name"]: record for record in records if record["kind"] == "table"}
    lines = [Line(label, shares_by_minute(by_name[name], "e-process")) for name, label in names.items()]
    y = Axis("% rolled back", 0, 100, range(0, 101, 20))
    return line_plot("How soon a bad canary is rolled back", _MINUTES, y, lines)


def _requests(records: Records) -> str:
    needed = next(record for record in records if record["kind"] == "exact")["requests_needed"]
    increases = list(next(iter(needed.values())))
    lines = [
        Line(
            f"bad rate may grow by {float(increase):.1%}",
            [(100 * float(rate), found[increase]) for rate, found in needed.items()],
        )
        for increase in increases
    ]
    x = Axis("bad rate of both versions, %", 0, 5, range(6))
    y = Axis("canary requests", 100, 100_000, [100, 1000, 10_000, 100_000], logarithmic=True)
    return line_plot("Canary requests until a good canary is promoted (10 % share)", x, y, lines)
