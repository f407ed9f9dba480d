"""Which inputs a batch takes, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podium.core.one_shot import InputIds
from podium.engine.input_queue import InputQueue
from podium.engine.one_shot import BatchLimits

LIMITS = BatchLimits(max_inputs=4, max_tokens=256, delay_seconds=0.5)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(limits: BatchLimits = LIMITS, padding_tokens: int = 0) -> tuple[InputQueue, Clock]:
    clock = Clock()
    return InputQueue(limits, clock, padding_tokens=padding_tokens), clock


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
    by_tokens.add(1, ids(256))
    assert by_tokens.due_seconds() == 0.0


def test_a_batch_holds_inputs_of_similar_length_and_the_oldest_is_among_them() -> None:
    waiting, _ = queue()
    waiting.add(1, ids(20, 3))
    waiting.add(2, ids(30, 2))
    assert [(one.request_id, one.position) for one in waiting.take()] == [(1, 0), (2, 0)]
    assert [(one.request_id, one.position) for one in waiting.take()] == [(1, 1), (2, 1)]
    assert len(waiting) == 0


def test_an_engine_that_says_what_a_pass_costs_pads_no_more_than_that_and_takes_the_nearest_first() -> None:
    waiting, _ = queue(padding_tokens=16)
    waiting.add(1, ids(40, 60, 20, 48, 50))
    assert [one.tokens for one in waiting.take()] == [40, 48, 50]
    assert [one.tokens for one in waiting.take()] == [60]
    assert [one.tokens for one in waiting.take()] == [20]


def test_an_abandoned_request_leaves_the_queue() -> None:
    waiting, _ = queue()
    waiting.add(1, ids(3, 200, 4))
    waiting.add(2, ids(5))
    waiting.drop(1)
    assert waiting.due_seconds() == 0.5
    assert [one.request_id for one in waiting.take()] == [2]


@given(
    st.lists(st.lists(st.integers(1, 600), min_size=1, max_size=6), min_size=1, max_size=12), st.sampled_from([0, 16])
)
def test_every_input_is_taken_once_within_the_limits_and_half_of_a_batch_at_most_is_padding(
    requests: list[list[int]], padding_tokens: int
) -> None:
    waiting, _ = queue(padding_tokens=padding_tokens)
    for request_id, lengths in enumerate(requests):
        waiting.add(request_id, ids(*lengths))
    taken = []
    while len(waiting):
        batch = waiting.take()
        longest = max(len(one.ids.token_ids) for one in batch)
        assert len(batch) <= LIMITS.max_inputs
        assert len(batch) == 1 or longest * len(batch) <= LIMITS.max_tokens
        shortest = min(len(one.ids.token_ids) for one in batch)
        assert longest - shortest <= (padding_tokens or max(shortest, 16 - shortest))
        taken += [(one.request_id, one.position) for one in batch]
    assert sorted(taken) == [
        (request, position) for request, many in enumerate(requests) for position in range(len(many))
    ]
