"""Client and server are joined by request id, and the parts add up."""

from __future__ import annotations

import json

import pytest

from podium.bench.phases import PHASES, phases_of
from podium.core.errors import InvalidRequest
from support.load_plans import answered

PARTS = {"api": 0.001, "queue": 0.002, "prefill": 0.09, "decode": 0.1, "flush": 0.003}


def _line(request_id: str, **changes: float) -> str:
    parts = {**PARTS, **changes}
    told = {f"{name}_seconds": value for name, value in parts.items()}
    return json.dumps({"event": "request", "request_id": request_id, **told, "e2e_seconds": sum(parts.values())})


def test_the_parts_of_a_request_add_up_to_what_the_client_saw() -> None:
    records = [answered(i, 3.0 + i, [3.1 + i, 3.2 + i], request_id=f"r{i}") for i in range(3)]
    found = phases_of(records, ["not json", _line("r0"), _line("r1"), _line("other")])
    assert (found.joined, found.of, found.impossible) == (2, 3, 0)
    assert found.whole.mean == pytest.approx(0.202)
    assert found.worst_gap < 1e-9
    assert sum(found.parts[name].mean or 0 for name in PHASES) == pytest.approx(0.202)
    assert found.parts["client"].mean == pytest.approx(0.001)
    assert found.parts["way"].mean == pytest.approx(0.201 - sum(PARTS.values()))


def test_work_after_the_last_byte_is_taken_off_flush_and_a_wrong_log_is_noticed() -> None:
    records = [answered(0, 3.0, [3.1, 3.2], request_id="r0"), answered(1, 4.0, [4.1, 4.2], request_id="r1")]
    late = phases_of(records, [_line("r0", flush=0.05)])
    assert late.impossible == 0
    assert late.parts["way"].mean == pytest.approx(0.0)
    assert late.parts["flush"].mean == pytest.approx(0.201 - sum(PARTS.values()) + PARTS["flush"])
    assert late.worst_gap < 1e-9
    assert phases_of(records, [_line("r1", decode=9.0)]).impossible == 1


def test_a_log_without_the_run_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="no good request"):
        phases_of([answered(0, 3.0, [3.1], request_id="r0")], [_line("r1")])
