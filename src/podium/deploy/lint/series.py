"""The series that Podium has, and what kind each is: those of the table of metrics, nothing written twice."""

from __future__ import annotations

from collections.abc import Mapping

from podium.telemetry.metric import Kind
from podium.telemetry.table import METRICS

SERIES: Mapping[str, Kind] = {name: kind for metric in METRICS for name, kind in metric.series.items()}
"""By name, as in a query."""
