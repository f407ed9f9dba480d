"""Traces of others are read, and our own log becomes one that tells nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podium.bench.plan import Turn
from podium.bench.request_log import trace_of, trace_text
from podium.bench.traces import read_trace
from podium.core.errors import InvalidRequest, NotFound

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
"""
MOONCAKE = """{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}
{"timestamp": 26482.5, "input_length": 10, "output_length": 1, "hash_ids": []}
"""


def test_an_azure_trace_has_seconds_since_its_first_request(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(AZURE)
    assert read_trace(tmp_path / "trace.csv") == [
        Turn(at=0.0, prompt_tokens=4808, output_tokens=10),
        Turn(at=0.052, prompt_tokens=3180, output_tokens=8),
    ]


def test_a_mooncake_trace_is_sorted_and_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_text(MOONCAKE)
    assert read_trace(tmp_path / "trace.jsonl") == [
        Turn(at=26.4825, prompt_tokens=10, output_tokens=1),
        Turn(at=27.482, prompt_tokens=6955, output_tokens=52, blocks=[46, 47]),
    ]


@pytest.mark.parametrize("text", ["", "{}\n", "TIMESTAMP,ContextTokens,GeneratedTokens\nnever,1,2\n", "hello\n"])
def test_what_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "trace").write_text(text)
    with pytest.raises(InvalidRequest, match=r"line|no request"):
        read_trace(tmp_path / "trace")
    with pytest.raises(NotFound):
        read_trace(tmp_path / "nothing")


def _line(second: int, **changes: object) -> str:
    entry = {
        "event": "request",
        "route": "/v1/completions",
        "ts": f"2026-01-01T00:00:{second:02d}.000000Z",
        "e2e_seconds": 1.0,
        "prompt_tokens": 5,
        "output_tokens": 2,
        "model": "gpt2",
        "tenant": "canary-tenant",
        "key_id": "canary-key",
        "request_id": "canary-id",
    }
    return json.dumps({**entry, **changes})


def test_a_request_log_becomes_a_trace_of_lengths_and_times_only(tmp_path: Path) -> None:
    lines = [
        "starting up",
        _line(9, e2e_seconds=2.5, prompt_tokens=7),
        _line(8),
        _line(8, event="loaded"),
        _line(8, route="/v1/models"),
        _line(8, output_tokens=0),
    ]
    text = trace_text(trace_of(lines))
    assert "canary" not in text
    assert "gpt2" not in text
    (tmp_path / "trace.jsonl").write_text(text)
    assert read_trace(tmp_path / "trace.jsonl") == [
        Turn(at=0.0, prompt_tokens=7, output_tokens=2),
        Turn(at=0.5, prompt_tokens=5, output_tokens=2),
    ]


def test_one_model_can_be_picked_and_an_empty_log_is_an_error() -> None:
    assert len(trace_of([_line(1), _line(2, model="other")], model="gpt2")) == 1
    with pytest.raises(InvalidRequest):
        trace_of(["{}", "nothing"])
