"""A run that must not be believed says why."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podium.bench.figures import summarise
from podium.bench.plan import Load, RunPlan
from podium.bench.record import Failure, Outcome, RequestRecord
from podium.bench.result import Calibration, Reason
from podium.bench.validity import reasons
from support.load_plans import answered, plan_for

PLAN = plan_for(
    "http://127.0.0.1:1",
    load=Load(kind="constant", rate=10, seconds=40.0),
    warm_up_seconds=2.0,
    calibrate=True,
)
GOOD = Calibration(asked_per_second=10.0, reached_per_second=10.0, schedule_delay_p99=0.0, seconds=3.0)


def _records(**changes: Any) -> list[RequestRecord]:
    """A request each tenth of a second, answered alike."""
    return [answered(i, 2 + i / 10, [2.1 + i / 10, 2.2 + i / 10], **changes) for i in range(400)]


def _reasons(
    records: list[RequestRecord], plan: RunPlan = PLAN, calibration: Calibration | None = GOOD, **client: float
) -> set[Reason]:
    return {entry.reason for entry in reasons(plan, records, summarise(records, plan), calibration, client)}


def test_a_clean_run_has_no_reason_against_it() -> None:
    assert _reasons(_records()) == set()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"output_tokens_asked": 9}, Reason.OUTPUT_LENGTHS),
        ({"prompt_tokens_asked": 9}, Reason.PROMPT_LENGTHS),
        ({"output_tokens_reported": 1, "output_tokens_asked": 1}, Reason.TOKEN_COUNTS),
        ({"cache": "hit"}, Reason.CACHED_ANSWERS),
        ({"output_tokens_counted": 3}, Reason.TOKEN_COUNTS),
        ({"outcome": Outcome.FAILED, "failure": Failure.TRUNCATED}, Reason.NOTHING_SUCCEEDED),
    ],
)
def test_what_answers_say_of_themselves_is_checked(changes: dict[str, Any], reason: Reason) -> None:
    assert reason in _reasons(_records(**changes))


def test_a_few_odd_lengths_are_tolerated_and_many_are_not() -> None:
    records = _records()
    odd = [msgspec.structs.replace(record, output_tokens_asked=9) for record in records]
    assert _reasons(odd[:4] + records[4:]) == set()
    assert _reasons(odd[:5] + records[5:]) == {Reason.OUTPUT_LENGTHS}


def test_lengths_are_free_where_answers_end_by_themselves() -> None:
    free = msgspec.structs.replace(PLAN, workload=msgspec.structs.replace(PLAN.workload, ignore_eos=False))
    assert _reasons(_records(output_tokens_asked=9), free) == set()


def test_a_late_client_is_found() -> None:
    records = [
        msgspec.structs.replace(record, begun_at=record.scheduled_at + (0.02 if record.index % 50 == 0 else 0))
        for record in _records()
    ]
    assert _reasons(records) == {Reason.SCHEDULE_DELAY}


def test_a_client_that_reads_late_is_found_where_its_users_wait_for_answers() -> None:
    assert _reasons(_records(), loop_lag_p99=0.004) == set()
    assert _reasons(_records(), loop_lag_p99=0.006) == {Reason.CLIENT_LATE}
    slow = [answered(i, 2 + i / 10, [2.1 + i / 10, 3.1 + i / 10]) for i in range(400)]
    assert _reasons(slow, loop_lag_p99=0.02) == set()  # 2 % of a second and more
    assert _reasons(slow, loop_lag_p99=0.05) == {Reason.CLIENT_LATE}


def test_a_busy_client_a_weak_calibration_and_none_at_all_are_found() -> None:
    assert _reasons(_records(), worker_cpu_ratio=0.9) == {Reason.CLIENT_CPU}
    weak = msgspec.structs.replace(GOOD, reached_per_second=9.8)
    assert _reasons(_records(), calibration=weak) == {Reason.CALIBRATION}
    assert _reasons(_records(), calibration=None) == {Reason.CALIBRATION}
    closed = msgspec.structs.replace(PLAN, load=Load(kind="closed", seconds=40.0))
    limited = Calibration(asked_per_second=None, reached_per_second=12.0, schedule_delay_p99=0.0, seconds=3.0)
    assert _reasons(_records(), closed, limited) == {Reason.CALIBRATION}


def test_load_that_was_not_delivered_is_found() -> None:
    records = _records()
    held = [msgspec.structs.replace(r, begun_at=max(r.begun_at or 0, 43.0)) if r.index > 380 else r for r in records]
    assert Reason.LOAD_NOT_DELIVERED in _reasons(held)


def test_a_short_window_few_samples_and_no_warm_up_are_found() -> None:
    short = msgspec.structs.replace(
        PLAN, load=Load(kind="constant", rate=10, seconds=5.0), warm_up_seconds=0.0, calibrate=False
    )
    records = [answered(i, i / 10, [0.1 + i / 10, 0.2 + i / 10]) for i in range(50)]
    expected = {Reason.WINDOW_TOO_SHORT, Reason.TOO_FEW_SAMPLES, Reason.NO_WARM_UP}
    assert _reasons(records, short, None) == expected


def test_nothing_measured_is_a_reason_of_its_own() -> None:
    assert _reasons([]) == {Reason.TOO_FEW_SAMPLES}
