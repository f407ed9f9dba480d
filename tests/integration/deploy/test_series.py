"""The check knows the series of a real server, and the scaler's query asks for some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from podium.deploy.kubernetes.autoscaling import GAUGES, load_query
from podium.deploy.lint.series import SERIES
from podium.telemetry.table import METRICS
from podium.testing.server_process import server_process

_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with server_process() as server:
        server.post("/v1/completions", {"model": "echo", "prompt": "hello", "max_tokens": 2})
        yield server.probe("metrics").text


def test_the_list_is_what_a_server_shows(page: str) -> None:
    shown = {name: kind for name, kind in _TYPE.findall(page) if not name.endswith("_created")}
    wanted = {metric.name: metric.kind for metric in METRICS if metric.owner == "server" and not metric.shown}
    in_memory = {metric.name: metric.kind for metric in METRICS if "cache in this process" in metric.shown}
    assert shown == {**wanted, **in_memory}


def test_every_series_of_the_page_is_one_that_queries_may_name(page: str) -> None:
    named = {line.split("{")[0].split(" ")[0] for line in page.splitlines() if line and not line.startswith("#")}
    assert {name for name in named if not name.endswith("_created")} <= set(SERIES)


def test_the_scaler_asks_for_gauges_that_every_model_has(page: str) -> None:
    for gauge in GAUGES:
        assert f'{gauge}{{model="echo",version="1"}} 0.0' in page
        assert f'sum(avg_over_time({gauge}{{namespace="n",environment="blue"}}[1m]))' in load_query("n", "blue")
