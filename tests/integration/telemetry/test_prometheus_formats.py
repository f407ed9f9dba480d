"""A real Prometheus reads a real server: examples by OpenMetrics, exponential buckets by protocol buffers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.telemetry.table import INTER_TOKEN_LATENCY, REQUEST_DURATION, TIME_TO_FIRST_TOKEN
from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until
from support.prometheus import Prometheus, running_prometheus
from support.require import require_program

FAST = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.01}}


def generate(server: ServerProcess, count: int) -> list[str]:
    """So many answers of some tokens; the ids of their traces."""
    body = {"model": "echo", "prompt": "abcdefgh", "max_tokens": 8, "cache": {"read": False}}
    answers = [server.post("/v1/completions", body) for _ in range(count)]
    return [answer.headers["traceresponse"].split("-")[1] for answer in answers]


def config(server: ServerProcess) -> dict[str, Any]:
    targets = [{"targets": [server.admin.removeprefix("http://")]}]
    return {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "podium", "static_configs": targets}],
    }


def exemplars(prometheus: Prometheus, query: str) -> set[str]:
    """Ids of the traces that are examples of ``query``."""
    times = {"start": "0", "end": "4000000000"}
    answer = httpx.get(f"{prometheus.url}/api/v1/query_exemplars", params={"query": query, **times}, trust_env=False)
    return {each["labels"]["trace_id"] for found in answer.json()["data"] for each in found["exemplars"]}


@pytest.mark.slow
def test_a_prometheus_that_keeps_examples_finds_the_trace_of_a_request(tmp_path: Path) -> None:
    require_program("prometheus")
    with (
        server_process(FAST) as server,
        running_prometheus(config(server), tmp_path, features=["exemplar-storage"]) as prometheus,
    ):
        traces = set(generate(server, 2))
        found = until("an example", lambda: exemplars(prometheus, TIME_TO_FIRST_TOKEN.bucket), seconds=30)
        assert found <= traces
        assert prometheus.ask(f"{REQUEST_DURATION.name}_count")


@pytest.mark.slow
def test_a_prometheus_that_keeps_exponential_buckets_gets_any_quantile_of_them(tmp_path: Path) -> None:
    require_program("prometheus")
    with (
        server_process(FAST, telemetry={"native_histograms": True}) as server,
        running_prometheus(config(server), tmp_path, features=["native-histograms"]) as prometheus,
    ):
        generate(server, 3)
        # Gaps of about 10 ms: exponential buckets around them are 9 % wide, the fixed ones end at 10 and 25 ms.
        share = f"histogram_fraction(0.009, 10, {INTER_TOKEN_LATENCY.name})"
        count = f"histogram_count({INTER_TOKEN_LATENCY.name})"
        until("all gaps are there", lambda: sum(prometheus.ask(count)) >= 21, seconds=30)
        assert prometheus.ask(share)[0] > 0.8
        assert prometheus.ask(f"histogram_quantile(0.5, {INTER_TOKEN_LATENCY.name})")[0] > 0.009
