"""What a scrape tells of models."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from podium.engine.token_flow import TokenFlow
from podium.telemetry.distribution import Distribution
from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.model_state import MODEL_COUNTERS, MODEL_GAUGES


@dataclass
class Model:
    """A model whose engine has made no step for some seconds."""

    stalled_seconds: float
    name: str = "m"
    version: str = "1"
    state: str = "ready"
    running: int = 1
    waiting: int = 2
    running_limit: int = 4
    queue_limit: int = 8
    restarts: int = 0
    tokens: TokenFlow = field(default_factory=lambda: TokenFlow(sampled=9, delivered=5, discarded=3, unread=1))
    gaps: Distribution = field(default_factory=lambda: Distribution((0.1,)))
    memory_bytes: int | None = None
    kv_cache_usage_ratio: float = 0.25


def scraped(model: Model) -> dict[str, float]:
    text = ServerMetrics(lambda: [model], version="1").exposition().body.decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples if "model" in sample.labels}


@pytest.mark.parametrize("seconds", [0.0, 7.0, 100.0])
def test_the_last_progress_of_an_engine_is_a_time_of_day(seconds: float) -> None:
    found = scraped(Model(stalled_seconds=seconds))["podium_engine_last_progress_timestamp_seconds"]
    assert time.time() - found == pytest.approx(seconds, abs=5)


def test_every_gauge_of_a_model_is_told() -> None:
    assert {metric.name for metric, _ in (*MODEL_GAUGES, *MODEL_COUNTERS)} <= set(scraped(Model(stalled_seconds=0.0)))
