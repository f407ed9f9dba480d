"""Client and server are joined by request id, and the parts add up."""

from __future__ import annotations

import json

import pytest

from podium.bench.phases import MEANINGS, Phases, phases_of
from podium.core.errors import InvalidRequest
from support.load_plans import answered

PARTS = {"api": 0.001, "queue": 0.002, "prefill": 0.09, "decode": 0.1, "flush": 0.003}


def _line(request_id: str, **changes: float) -> str:
    parts = {**PARTS, **changes}
    told = {f"{name}_seconds": value for name, value in parts.items()}
    return json.dumps({"event": "request", "request_id": request_id, **told, "e2e_seconds": sum(parts.values())})


def _passage(request_id: str, **microseconds: int | None) -> str:
    return "gateway    | " + json.dumps({"event": "gateway request", "request_id": request_id, **microseconds})


def _means(found: Phases) -> dict[str, float]:
    return {name: part.mean or 0.0 for name, part in found.parts.items()}


def test_the_parts_of_a_request_add_up_to_what_the_client_saw() -> None:
    records = [answered(i, 3.0 + i, [3.1 + i, 3.2 + i], request_id=f"r{i}") for i in range(3)]
    found = phases_of(records, ["not json", _line("r0"), _line("r1"), _line("other")])
    assert (found.joined, found.of, found.impossible) == (2, 3, 0)
    assert found.whole.mean == pytest.approx(0.202)
    assert found.worst_gap < 1e-9
    assert sum(_means(found).values()) == pytest.approx(0.202)
    assert list(found.parts) == ["client", "way", *PARTS]
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


def test_with_the_gateway_s_log_the_way_is_network_and_gateway() -> None:
    """The client saw 201 ms, the gateway had it for 200 and waited 198 for the server, which took 196. One file."""
    records = [answered(i, 3.0 + i, [3.1 + i, 3.2 + i], request_id=f"r{i}") for i in range(4)]
    unfinished = _passage("r2", total_us=200_000, server_us=None)
    failed = json.dumps({"event": "request", "request_id": "r0", "status": 500, "e2e_seconds": 0.1})  # an attempt
    log = [
        _line("r0"),
        _passage("r0", total_us=200_000, server_us=198_000),
        _line("r2"),
        unfinished,
        _line("r3"),
        failed,
    ]
    found = phases_of(records, log, log)
    assert (found.joined, found.of, found.impossible) == (1, 4, 0)
    assert list(found.parts) == ["client", "network", "gateway", *PARTS]
    assert set(found.parts) <= set(MEANINGS)
    assert _means(found)["gateway"] == pytest.approx(0.002)
    assert _means(found)["network"] == pytest.approx(0.001 + 0.002)
    assert sum(_means(found).values()) == pytest.approx(0.202)
    assert found.worst_gap < 1e-9


def test_the_gateway_had_the_last_byte_before_the_server_s_clock_stopped() -> None:
    records = [answered(0, 3.0, [3.1, 3.2], request_id="r0")]
    found = phases_of(records, [_line("r0")], [_passage("r0", total_us=200_000, server_us=194_000)])
    assert found.impossible == 0
    assert _means(found)["flush"] == pytest.approx(0.001)
    assert _means(found)["network"] == pytest.approx(0.001)
    assert sum(_means(found).values()) == pytest.approx(0.202)


@pytest.mark.parametrize(
    ("total", "server"),
    [
        pytest.param(220_000, 219_000, id="longer in the gateway than the client saw"),
        pytest.param(200_000, 150_000, id="longer in the server than the gateway waited for it"),
        pytest.param(198_000, 200_000, id="waited for longer than it was there"),
    ],
)
def test_a_log_of_another_gateway_is_noticed(total: int, server: int) -> None:
    """Also where the sum of the two sides of the network is above zero."""
    records = [answered(0, 3.0, [3.1, 3.2], request_id="r0")]
    passage = _passage("r0", total_us=total, server_us=server)
    assert phases_of(records, [_line("r0")], [passage]).impossible == 1


def test_a_gateway_s_log_without_the_run_is_an_error_of_its_own() -> None:
    records = [answered(0, 3.0, [3.1], request_id="r0")]
    with pytest.raises(InvalidRequest, match="in the gateway's log"):
        phases_of(records, [_line("r0")], [_line("r0"), _passage("r1", total_us=2, server_us=1)])
