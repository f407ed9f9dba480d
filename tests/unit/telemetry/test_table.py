"""The table of metrics: one place for every name, and names as Prometheus wants them."""

from __future__ import annotations

import re
import subprocess

import pytest

from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.table import METRICS
from support.require import require_program
from support.source import ROOT

NAMES = [metric.name for metric in METRICS]


def test_no_metric_is_there_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_tells_the_kind(metric: object) -> None:
    name, kind = str(getattr(metric, "name", "")), getattr(metric, "kind", "")
    assert name.startswith("podium_")
    assert name.endswith("_total") == (kind == "counter")


def test_the_code_names_a_metric_nowhere_else() -> None:
    files = [path for path in (ROOT / "src").rglob("*.py") if path.name != "table.py"]
    text = {path: path.read_text("utf-8") for path in files}
    stems = "|".join(sorted({name.removesuffix("_total") for name in NAMES}))
    written = re.compile(rf"""["'](?:{stems})(?:_total|_bucket|_sum|_count)?["'{{\[]""")
    assert {str(path): written.findall(body) for path, body in text.items() if written.search(body)} == {}


def test_prometheus_finds_no_fault_with_the_page() -> None:
    promtool = require_program("promtool")
    page = ServerMetrics(list, version="1").exposition().body
    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
