"""The pieces of PromQL that alerts, objectives and dashboards share. Names come from the table of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from podium.core.outcome import BAD, EXCLUDED
from podium.monitor.meaning import PROBE_ROUTES
from podium.telemetry import table
from podium.telemetry.metric import Metric

MODELS = 'model!="none"'
"""Requests that reached a model; those that never did have the label ``none``."""
COUNTED_ROUTES = f'route!~"{"|".join(sorted(PROBE_ROUTES))}"'
BAD_OUTCOMES = f'outcome=~"{"|".join(sorted(BAD))}"'
COUNTED_OUTCOMES = f'outcome!~"{"|".join(sorted(EXCLUDED))}"'


def selector(metric: Metric | str, *matchers: str) -> str:
    """``name{matchers}``."""
    name = metric if isinstance(metric, str) else metric.name
    wanted = ",".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{wanted}}}" if wanted else name


def total(function: str, series: str, window: str, by: Iterable[str] = ()) -> str:
    """The sum of a function over a window: ``sum by (model) (rate(x[5m]))``."""
    labels = ", ".join(by)
    return f"sum{f' by ({labels})' if labels else ''} ({function}({series}[{window}]))"


def bad_requests(function: str, window: str, by: Iterable[str] = (), *matchers: str) -> str:
    """Requests that count against the service."""
    return total(function, selector(table.REQUESTS, BAD_OUTCOMES, COUNTED_ROUTES, *matchers), window, by)


def counted_requests(function: str, window: str, by: Iterable[str] = (), *matchers: str) -> str:
    """Good and bad requests, without those that their callers ended."""
    return total(function, selector(table.REQUESTS, COUNTED_OUTCOMES, COUNTED_ROUTES, *matchers), window, by)


def ended_well(histogram: Metric) -> str:
    """Leaves out requests that did not; empty for a histogram that has no others."""
    return 'outcome_class="ok"' if "outcome_class" in histogram.labels else ""


def quantile(share: float, histogram: Metric, window: str, *matchers: str) -> str:
    """A quantile of a histogram for each model, of requests that ended well."""
    buckets = total("rate", selector(histogram.bucket, ended_well(histogram), *matchers), window, ("model", "le"))
    return f"histogram_quantile({number(share)}, {buckets})"


def number(value: float) -> str:
    """A threshold as it was meant, without the noise of binary fractions."""
    return format(Decimal(str(value)).normalize(), "f")


def duration(seconds: float) -> str:
    """``5m``, ``2h``, ``90s``, ``1500ms``."""
    if seconds != int(seconds):
        return f"{round(seconds * 1000)}ms"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{int(seconds) // length}{unit}"
    return f"{int(seconds)}s"
