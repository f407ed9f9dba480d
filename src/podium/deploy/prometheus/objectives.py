"""The objective of availability: recorded ratios under Sloth's names, and the alerts on how fast its budget burns.

Sloth's dashboards and its own rules read the same names: ``slo:sli_error:ratio_rate5m`` and so on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from podium.config.monitor import Monitor as Thresholds
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.promql import bad_requests, counted_requests, duration
from podium.monitor.rules import BURNS, Burn, rules_of

SERVICE, SLO = "podium", "availability"
PERIOD = "30d"
PERIOD_DAYS = 30
_IDENTITY = {"sloth_id": f"{SERVICE}-{SLO}", "sloth_service": SERVICE, "sloth_slo": SLO}
_HERE = f'sloth_id="{_IDENTITY["sloth_id"]}"'

SLOW_BURN = Burn("ticket", 1.0, 259200, 21600)
"""Three days are more than the embedded monitor keeps, so this one is Prometheus's alone."""


def windows() -> list[str]:
    """Every window that an alert looks at, the shortest first."""
    seconds = {window for burn in (*BURNS, SLOW_BURN) for window in (burn.long_seconds, burn.short_seconds)}
    return [duration(window) for window in sorted(seconds)]


def recordings(given: Thresholds) -> list[dict[str, Any]]:
    """Recording rules. A window without traffic has no ratio: it is neither good nor bad."""
    ratios = [_record(f"slo:sli_error:ratio_rate{window}", _ratio(window), sloth_window=window) for window in windows()]
    whole = f"avg_over_time(slo:sli_error:ratio_rate5m{{{_HERE}}}[{PERIOD}])"
    objective = Decimal(str(given.objective))
    budget = 1 - objective
    return [
        *ratios,
        _record(f"slo:sli_error:ratio_rate{PERIOD}", whole, sloth_window=PERIOD),
        _record("slo:objective:ratio", f"vector({objective})"),
        _record("slo:error_budget:ratio", f"vector({budget})"),
        _record("slo:time_period:days", f"vector({PERIOD_DAYS})"),
        _record("slo:current_burn_rate:ratio", _burned("5m")),
        _record("slo:period_burn_rate:ratio", _burned(PERIOD)),
        _record("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{{{_HERE}}}"),
        _record("sloth_slo_info", "vector(1)", sloth_mode="podium", sloth_objective=str(objective * 100)),
    ]


def burn_conditions(given: Thresholds) -> list[Condition]:
    """The alerts on burn rates, and the one that says that nothing is measured."""
    rules = {rule.name: rule for rule in rules_of(given)}
    found = []
    for burn in (*BURNS, SLOW_BURN):
        keep = rules[burn.name].keep_seconds if burn.name in rules else 0.0
        found.append(_condition(given, burn, keep))
    measured = f"count(slo:sli_error:ratio_rate1h{{{_HERE}}})"
    unmeasured = Condition(
        "ObjectiveNotMeasured", "ticket", measured, "", "No request was counted for an hour: the objective is not met, "
        "it is not measured.", for_seconds=600, labels=_IDENTITY, absent=True,
    )  # fmt: skip
    return [*found, unmeasured]


def _condition(given: Thresholds, burn: Burn, keep_seconds: float) -> Condition:
    limit = Decimal(str(burn.factor)) * (1 - Decimal(str(given.objective)))
    threshold = format(limit.normalize(), "f")
    long, short = (f"slo:sli_error:ratio_rate{duration(span)}" for span in (burn.long_seconds, burn.short_seconds))
    enough = f"{counted_requests('increase', duration(burn.long_seconds))} >= {given.min_requests}"
    return Condition(
        burn.name,
        burn.severity,
        f"max({long}{{{_HERE}}})",
        f"> {threshold}",
        f"{{{{ $value | humanizePercentage }}}} of the requests in {duration(burn.long_seconds)} were bad, "
        f"{burn.factor:g} times what the objective allows.",
        f"max({short}{{{_HERE}}}) > {threshold}\nand\n{enough}",
        keep_seconds=keep_seconds,
        labels={**_IDENTITY, "sloth_severity": burn.severity},
    )


def _ratio(window: str) -> str:
    return f"{bad_requests('rate', window)}\n/\n({counted_requests('rate', window)} > 0)"


def _burned(window: str) -> str:
    budget = f"slo:error_budget:ratio{{{_HERE}}}"
    return (
        f"slo:sli_error:ratio_rate{window}{{{_HERE}}}\n/ on (sloth_id, sloth_slo, sloth_service) group_left\n{budget}"
    )


def _record(name: str, query: str, **labels: str) -> dict[str, Any]:
    return {"record": name, "expr": query, "labels": {**_IDENTITY, **labels}}
