"""The whole report out of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from podium.bench.page.chart import Chart, draw
from podium.bench.page.many_charts import knee, pareto
from podium.bench.page.parts import (
    accounting_bar,
    banner,
    cost_table,
    failures,
    headline,
    invalid_banner,
    provenance,
    runs_table,
)
from podium.bench.page.run_charts import distributions, over_time
from podium.bench.page.run_view import RunView

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(views: Sequence[RunView], *, price_per_hour: float | None = None) -> str:
    """The report on one run, or on several that belong together (a sweep, a comparison). At least one is needed."""
    assert views  # noqa: S101 - this is a bug: whoever asks has checked
    title = views[0].result.name if len(views) == 1 else f"{len(views)} runs"
    parts = _several(views, price_per_hour) if len(views) > 1 else _one(views[0], price_per_hour)
    style = files("podium.bench.page").joinpath("style.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Load test: {escape(title)}</title><style>{style}</style></head>"
        f"<body><main><h1>Load test: {escape(title)}</h1>{''.join(parts)}</main></body></html>\n"
    )


def _one(view: RunView, price: float | None) -> list[str]:
    result = view.result
    figures = (
        [
            _section("Summary", headline(result)),
            _section("Cost", cost_table([result], price)),
            _charts("Distributions", distributions(view), "charts"),
            _section("Where the time goes", accounting_bar(view.phases)),
        ]
        if result.summary is not None
        else []
    )
    return [
        banner(result),
        *figures,
        _charts("Over time", over_time(view), "stack"),
        _section("Failures", failures(view)),
        _section("Where this comes from", provenance(result)),
    ]


def _several(views: Sequence[RunView], price: float | None) -> list[str]:
    results = [view.result for view in views]
    valid = [result for result in results if result.summary is not None]
    return [
        invalid_banner(results),
        _section("Runs", runs_table(results)),
        _charts("Load and latency", [*knee(valid), pareto(valid)], "charts"),
        _section("Cost", cost_table(valid, price)),
        _section("Failures", "".join(failures(view, named=True) for view in views)),
        _section("Where this comes from", provenance(results[0])),
    ]


def _charts(title: str, charts: Sequence[Chart], css: str) -> str:
    drawn = "".join(draw(chart) for chart in charts if not chart.is_empty())
    missing = [chart.title for chart in charts if chart.is_empty()]
    note = (
        f'<p class="quiet">Not drawn, since there is no data for it: {escape("; ".join(missing))}.</p>'
        if missing
        else ""
    )
    return _section(title, f'<div class="{css}">{drawn}</div>{note}' if drawn else note)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""
