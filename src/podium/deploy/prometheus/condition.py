"""An alert as Prometheus evaluates it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from podium.deploy.prometheus.promql import duration
from podium.monitor.rules import Severity


@dataclass(frozen=True)
class Condition:
    """``value`` compared with a threshold, where ``guard`` holds.

    Attributes:
        value: a query that has a finite value whenever the server works and has traffic; its labels are the alert's.
        broken: what is wrong with it, such as ``> 0.05``.
        guard: a query that must return the same labels too, such as enough requests; empty: none.
        summary: one line with the value in it, formatted by Prometheus's template functions.
        absent: fire when ``value`` returns nothing.
    """

    name: str
    severity: Severity
    value: str
    broken: str
    summary: str
    guard: str = ""
    for_seconds: float = 0.0
    keep_seconds: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)
    absent: bool = False

    @property
    def query(self) -> str:
        """What Prometheus evaluates."""
        found = f"absent({self.value})" if self.absent else f"{self.value} {self.broken}".strip()
        return f"{found}\nand\n{self.guard}" if self.guard else found

    def rule(self, runbooks: str) -> dict[str, Any]:
        """An entry of a rule file; ``runbooks`` is the page with a heading for each alert."""
        times = {"for": self.for_seconds, "keep_firing_for": self.keep_seconds}
        return {
            "alert": self.name,
            "expr": self.query,
            **{key: duration(seconds) for key, seconds in times.items() if seconds},
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {"summary": self.summary, "runbook_url": f"{runbooks}#{self.name.lower()}"},
        }
