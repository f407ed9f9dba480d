"""Times of a request are counted from its arrival, as its caller counts them."""

from __future__ import annotations

import pytest

from podium.api.record import RequestRecord
from podium.core.generation import Usage


def test_the_time_to_the_first_token_begins_at_the_arrival_and_not_when_the_model_took_it() -> None:
    record = RequestRecord(request_id="r", usage=Usage(prompt_tokens=1, completion_tokens=5))
    record.queued_at_seconds, record.running_at_seconds = 0.003, 0.004
    record.begun_at_seconds, record.generated_at_seconds, record.e2e_seconds = 0.005, 0.021, 0.025
    assert record.ttft_seconds == 0.005
    assert record.seconds_per_output_token == pytest.approx(0.005)
    assert sum(record.phases().values()) == pytest.approx(record.e2e_seconds)


def test_a_request_without_a_token_has_no_time_to_the_first() -> None:
    record = RequestRecord(request_id="r", generated_at_seconds=0.005, e2e_seconds=0.025)
    assert record.ttft_seconds is None
    assert record.seconds_per_output_token is None


def test_a_call_whose_first_answer_was_a_kept_one_was_not_computed_and_its_phases_add_up() -> None:
    """Of several prompts: one is answered at once, and another gets its place in the batch after that."""
    record = RequestRecord(request_id="r", begun_at_seconds=0.002, generated_at_seconds=0.021, e2e_seconds=0.025)
    assert not record.is_computed
    record.queued_at_seconds, record.running_at_seconds = 0.003, 0.004
    assert not record.is_computed
    assert record.prefill_seconds is None
    assert min(record.phases().values()) >= 0
    assert sum(record.phases().values()) == pytest.approx(record.e2e_seconds)
    record.begun_at_seconds = 0.005
    assert record.is_computed
