"""``docs/monitoring.md``: the metrics, settings and routes that it names are there."""

from __future__ import annotations

import inspect
import re

import pytest

from podium.api.middleware import access_log
from podium.api.roles import CONTROL_ROLES
from support.source import ROOT

PAGE = (ROOT / "docs/monitoring.md").read_text()
METRICS = (ROOT / "docs/reference/metrics.md").read_text()
PROTOTYPE = (
    "model_requests_total", "model_errors_total", "model_request_duration_seconds", "model_active_requests",
    "model_cache_hits_total", "model_cache_misses_total", "model_load_time_seconds", "gpu_memory_usage_bytes",
    "cpu_usage_percent",
)  # fmt: skip


def test_every_metric_that_it_names_is_one() -> None:
    named = set(re.findall(r"\bpodium_[a-z_]+[a-z]\b", PAGE))
    assert named
    assert [name for name in sorted(named) if f"`{name}`" not in METRICS] == []


@pytest.mark.parametrize("name", PROTOTYPE)
def test_every_metric_of_the_prototype_is_led_to_one_of_today(name: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}" in line]
    assert "podium_" in row.split("|")[2]


def test_every_monitoring_route_is_told() -> None:
    assert [path for path, _ in CONTROL_ROLES if f"GET {path}" not in PAGE] == []


def test_every_field_of_a_requests_log_line_is_told_and_no_other() -> None:
    table = PAGE.partition("## Follow one request\n")[2].partition("No text of a prompt")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line)))
    written = set(re.findall(r"^        (\w+)=", inspect.getsource(access_log._write), re.MULTILINE))
    assert named == written | {"ts", "level", "event", "request_id", "trace_id", "span_id"}
