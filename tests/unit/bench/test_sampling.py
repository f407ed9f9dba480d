"""What host and server say meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.bench.sampling import (
    Sample,
    Sampling,
    figures,
    load_samples,
    save_samples,
    together,
    tokens_per_second,
)
from podium.core.errors import InvalidRequest
from support.deadline import until

EXPOSITION = """# TYPE podium_model_running_sequences gauge
podium_model_running_sequences{model="a"} 3
podium_model_running_sequences{model="b"} 4
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting 2
# TYPE other gauge
other 9
# TYPE podium_kv_cache_usage_ratio gauge
podium_kv_cache_usage_ratio{model="a"} 0.5
podium_kv_cache_usage_ratio{model="b"} 0.75
# TYPE podium_output_tokens_delivered counter
podium_output_tokens_delivered_total{model="a"} 100
podium_output_tokens_delivered_created{model="a"} 1795780800
"""


def test_known_figures_are_added_over_models_and_servers_and_of_shares_the_largest_counts() -> None:
    found = figures(EXPOSITION)
    assert found == {"running": 7, "waiting": 2, "kv_cache_ratio": 0.75, "output_tokens": 100}
    other = {"running": 1.0, "kv_cache_ratio": 0.25}
    assert together([found, other]) == {**found, "running": 8}


def test_tokens_a_second_are_between_samples_and_a_restart_makes_none() -> None:
    counts = [(0.0, 10.0), (1.0, 30.0), (2.0, None), (3.0, 40.0), (4.0, 5.0), (5.0, 9.0)]
    samples = [Sample(at=at, cpu_ratio=0, memory_ratio=0, output_tokens=count) for at, count in counts]
    assert tokens_per_second(samples) == [(1.0, 20.0), (3.0, 5.0), (5.0, 4.0)]


def test_samples_are_taken_while_the_block_lasts_and_a_dead_server_costs_only_its_part() -> None:
    with Sampling(["http://127.0.0.1:1/metrics"]) as sampling:
        until("a sample", lambda: sampling.samples)
    assert 0 <= sampling.samples[0].cpu_ratio <= 1
    assert sampling.samples[0].running is None


def test_samples_lie_beside_their_run(tmp_path: Path) -> None:
    samples = [Sample(at=1.0, cpu_ratio=0.5, memory_ratio=0.25, running=2)]
    assert load_samples(tmp_path) == []
    save_samples(tmp_path, samples)
    assert load_samples(tmp_path) == samples
    with pytest.raises(FileExistsError):
        save_samples(tmp_path, samples)
    (tmp_path / "samples.jsonl").write_text("{}")
    with pytest.raises(InvalidRequest, match=r"samples\.jsonl"):
        load_samples(tmp_path)
