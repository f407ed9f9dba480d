"""Which answers are results, and which are asked for again."""

from __future__ import annotations

import pytest

from podium.batches.judging import pause_before_again
from support.batches import Told, refusal


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 413, 422])
def test_an_answer_that_no_retry_changes_is_the_result(status: int) -> None:
    assert pause_before_again(Told(status), 1, 3) is None


@pytest.mark.parametrize("code", ["overloaded", "unavailable", "model_not_ready", "draining"])
def test_a_server_that_cannot_serve_yet_is_waited_for_however_often(code: str) -> None:
    assert pause_before_again(refusal(503, code, retry_after="7"), 99, 3) == (7.0, False)


def test_a_quota_that_is_used_up_is_waited_for_unless_no_wait_helps() -> None:
    assert pause_before_again(refusal(429, "rate_limit_exceeded", retry_after="3600"), 99, 3) == (60.0, False)
    assert pause_before_again(refusal(429, "insufficient_quota", x_should_retry="false"), 1, 3) is None


@pytest.mark.parametrize("code", ["engine_crashed", "engine_error", "deadline_exceeded", None])
def test_a_line_on_which_the_model_fails_is_tried_a_few_times(code: str | None) -> None:
    answer = Told(503, b"?") if code is None else refusal(503, code)
    pauses = [pause_before_again(answer, tries, 3) for tries in (1, 2, 3)]
    assert pauses == [(1.0, True), (2.0, True), None]


def test_a_header_that_is_no_number_is_a_second() -> None:
    assert pause_before_again(refusal(429, "rate_limit_exceeded", retry_after="soon"), 1, 3) == (1.0, False)
