"""Where the time of a request went."""

from __future__ import annotations

import json

import pytest

from podium.bench.page.accounting import PHASES, account, server_phases
from podium.core.errors import InvalidRequest
from support.bench_runs import request

RECORDS = [request(2.5 + number, 0.1, index=number) for number in range(3)]  # 0.141 s each, 1 ms before sending


def log(request_id: str, **seconds: float | None) -> bytes:
    return json.dumps({"event": "request", "request_id": request_id, **seconds}).encode()


def test_the_parts_add_up_to_end_to_end() -> None:
    lines = [log(f"req-{at}", queue_seconds=0.02, ttft_seconds=0.09, e2e_seconds=0.13) for at in range(3)]
    found = account(RECORDS, server_phases(RECORDS, lines))
    assert found is not None
    assert list(found.seconds) == list(PHASES)
    assert found.total == pytest.approx(0.141)
    assert found.seconds["client"] == pytest.approx(0.001)
    assert found.seconds["queue"] == pytest.approx(0.02)
    assert found.seconds["prefill"] == pytest.approx(0.07)
    assert found.seconds["decode"] == pytest.approx(0.04)
    assert found.seconds["network and gateway"] == pytest.approx(0.01)
    assert (found.requests, found.of, found.impossible) == (3, 3, 0)


def test_flush_is_told_apart_where_the_server_knows_it() -> None:
    line = log("req-0", queue_seconds=0.0, ttft_seconds=0.09, e2e_seconds=0.13, flush_seconds=0.01)
    found = account(RECORDS, server_phases(RECORDS, [line]))
    assert found is not None
    assert found.seconds["flush"] == pytest.approx(0.01)
    assert found.seconds["decode"] == pytest.approx(0.03)
    assert (found.requests, found.of) == (1, 3)


def test_phases_may_come_with_the_answer() -> None:
    told = request(2.5, 0.1, index=0, server_seconds={"queue": 0.01, "prefill": 0.08, "decode": 0.03})
    found = account([told], server_phases([told]))
    assert found is not None
    assert found.total == pytest.approx(0.141)


def test_a_log_of_another_run_is_noticed() -> None:
    line = log("req-0", queue_seconds=0.0, ttft_seconds=0.09, e2e_seconds=5.0)
    found = account(RECORDS, server_phases(RECORDS, [line]))
    assert found is not None
    assert found.impossible == 1


def test_lines_that_are_no_requests_are_passed_over_and_requests_of_others_too() -> None:
    lines = [b"INFO plain text", log("someone-else", ttft_seconds=0.1, e2e_seconds=0.2), log("req-0", e2e_seconds=None)]
    assert account(RECORDS, server_phases(RECORDS, lines)) is None


def test_a_broken_line_is_named() -> None:
    with pytest.raises(InvalidRequest, match="line 2"):
        server_phases(RECORDS, [b"{}", b'{"request_id": 5}'])
