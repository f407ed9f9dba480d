"""Which inputs a batch takes, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podium.core.one_shot import InputIds
from podium.engine.input_queue import InputQueue, bucket_tokens
from podium.engine.one_shot import BatchLimits

LIMITS = BatchLimits(max_inputs=4, max_tokens=256, delay_seconds=0.5)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(limits: BatchLimits = LIMITS) -> tuple[InputQueue, Clock]:
    clock = Clock()
    return InputQueue(limits, clock), clock


def ids(*lengths: int) -> list[InputIds]:
    return [InputIds((7,) * length) for length in lengths]


def test_an_input_waits_for_others_as_long_as_it_is_told_and_no_longer() -> None:
    waiting, clock = queue()
    assert waiting.due_seconds() is None
    waiting.add(1, ids(3))
    assert waiting.due_seconds() == 0.5
    clock.now += 0.4
    waiting.add(2, ids(3))
    assert 0.09 < (waiting.due_seconds() or 0.0) < 0.11
    clock.now += 0.2
    assert waiting.due_seconds() == 0.0


def test_a_full_batch_waits_for_nothing() -> None:
    by_count, _ = queue()
    by_count.add(1, ids(1, 1, 1, 1))
    assert by_count.due_seconds() == 0.0
    by_tokens, _ = queue()
    by_tokens.add(1, ids(200))
    assert by_tokens.due_seconds() == 0.0


def test_a_batch_holds_inputs_of_one_length_bucket_and_the_oldest_is_among_them() -> None:
    waiting, _ = queue()
    waiting.add(1, ids(20, 3))
    waiting.add(2, ids(30, 2))
    assert [(one.request_id, one.position) for one in waiting.take()] == [(1, 0), (2, 0)]
    assert [(one.request_id, one.position) for one in waiting.take()] == [(1, 1), (2, 1)]
    assert len(waiting) == 0


def test_an_abandoned_request_leaves_the_queue() -> None:
    waiting, _ = queue()
    waiting.add(1, ids(3, 200, 4))
    waiting.add(2, ids(5))
    waiting.drop(1)
    assert waiting.due_seconds() == 0.5
    assert [one.request_id for one in waiting.take()] == [2]


@given(st.lists(st.lists(st.integers(1, 600), min_size=1, max_size=6), min_size=1, max_size=12))
def test_every_input_is_taken_once_within_the_limits_and_half_of_a_batch_at_most_is_padding(
    requests: list[list[int]],
) -> None:
    waiting, _ = queue()
    for request_id, lengths in enumerate(requests):
        waiting.add(request_id, ids(*lengths))
    taken = []
    while len(waiting):
        batch = waiting.take()
        longest = max(len(one.ids.token_ids) for one in batch)
        assert len(batch) <= LIMITS.max_inputs
        assert len(batch) == 1 or longest * len(batch) <= LIMITS.max_tokens
        assert all(max(2 * len(one.ids.token_ids), 17) > longest for one in batch)
        taken += [(one.request_id, one.position) for one in batch]
    assert sorted(taken) == [
        (request, position) for request, many in enumerate(requests) for position in range(len(many))
    ]


@given(st.integers(1, 100_000))
def test_a_bucket_holds_its_length_and_half_of_it_does_not(length: int) -> None:
    bucket = bucket_tokens(length)
    assert bucket >= length
    assert bucket == 16 or bucket < 2 * length
