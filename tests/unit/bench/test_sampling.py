"""What host and server say meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.bench.sampling import Sample, Sampling, gauges, load_samples, save_samples
from podium.core.errors import InvalidRequest
from support.deadline import until

EXPOSITION = """# TYPE podium_model_running_sequences gauge
podium_model_running_sequences{model="a"} 3
podium_model_running_sequences{model="b"} 4
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting 2
# TYPE other gauge
other 9
"""


def test_known_gauges_are_added_over_models() -> None:
    assert gauges(EXPOSITION) == {"running": 7, "waiting": 2}


def test_samples_are_taken_while_the_block_lasts_and_a_dead_server_costs_only_its_part() -> None:
    with Sampling("http://127.0.0.1:1/metrics") as sampling:
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
