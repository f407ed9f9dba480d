"""The page of the simulations, from its raw file: ``python -m benchmarks.load_statistics.render RAW``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "load-statistics.md"
_HEAD = """# How often the load tester's statistics err

`python -m benchmarks.load_statistics --output RAW` ([raw](raw/{raw})), about six minutes on one core. Everything here
is simulated, so the truth is known: no server and no machine's noise is in these figures. Whether a real machine
resembles one of these is told by "runs differ by" of `podium bench compare`.

## compare: {comparisons} comparisons of a server with itself, and with one that is 5 % slower

Runs of thousands of requests, with noise from run to run, drift (a random walk) and noisy neighbours; five figures
tested at once, as many pairs as are said to be needed. The bars: false alarms at most 5 %, a change of 5 % found at
least 90 %.

| machine | runs differ by | pairs | false alarms | 5 % found | in every figure |
|---|---|---|---|---|---|
"""
_MIDDLE = """
## find-max: {searches} searches on a queue that can be solved

Poisson arrivals at a queue with exponential service, of a capacity that differs by 0.5 to 1 % from run to run;
objective: sojourn at the percentile below 500 ms. The limit of such a queue is a formula. Runs have 30 s of warm-up
from empty, then 120 s and at least 2,000 requests unless said. The bars: the limit covered in 99 of 100, a third of
the runs of a grid (steps of 5 % from the start until one is shown to fail), and estimates that differ by less than 5
% from search to search.

| server | true limit /s | covered | runs | grid | interval's width | estimate: bias, spread | hours |
|---|---|---|---|---|---|---|---|
"""
_END = """
This queue is a hard case: its latency rises slowly and its memory is long, so an interval that is proven stays wide
unless runs are long. Servers that batch have a sharper edge. The spread is the standard deviation of the estimate;
the most and the least of {searches} searches differ by four to five times as much.
"""


def page(raw: Path) -> str:
    """The page's text."""
    found = json.loads(raw.read_text("utf-8"))
    comparisons, searches = found["compare"][0]["same"]["comparisons"], found["find-max"][0]["searches"]
    rows = "".join(_compared(row) for row in found["compare"])
    steps = "".join(_searched(row) for row in found["find-max"])
    head = _HEAD.format(raw=raw.name, comparisons=comparisons)
    return head + rows + _MIDDLE.format(searches=searches) + steps + _END.format(searches=searches)


def _compared(row: dict[str, Any]) -> str:
    same, slower = row["same"], row["slower"]
    return (
        f"| {row['machine']} | {same['noise']:.1%} | {same['pairs']} | {same['different'] / same['comparisons']:.1%} | "
        f"{slower['worse'] / slower['comparisons']:.1%} | {slower['in_all'] / slower['comparisons']:.1%} |\n"
    )


def _searched(row: dict[str, Any]) -> str:
    return (
        f"| {row['server']} | {row['true_limit']:.1f} | {row['covered']} of {row['searches']} | {row['runs']:.1f} | "
        f"{row['grid_runs']:.0f} | {row['median_width']:.0%} | {row['estimate_bias']:+.1%}, "
        f"{row['estimate_spread']:.1%} | {row['hours']:.1f} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), "utf-8")
