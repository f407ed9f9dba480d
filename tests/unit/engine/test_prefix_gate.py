"""Requests that share a prefix with one in prefill wait for it."""

from __future__ import annotations

from podium.core.generation import SamplingParams
from podium.engine.adapters.prefix_gate import SHARED_TOKENS, PrefixGate, _shared
from podium.engine.interface import EngineSequence

PREFIX = tuple(range(SHARED_TOKENS + 36))


def sequence(number: int, token_ids: tuple[int, ...]) -> EngineSequence:
    return EngineSequence(
        id=number, token_ids=token_ids, sampling=SamplingParams(), stop_token_ids=frozenset(), max_tokens=8
    )


def test_followers_enter_with_the_leader_s_first_token() -> None:
    gate = PrefixGate()
    leader, follower = sequence(1, (*PREFIX, 1)), sequence(2, (*PREFIX, 2))
    assert gate.admit(leader)
    assert not gate.admit(follower)
    assert gate.waiting == 1
    assert gate.first_token(1) == [follower]
    assert gate.waiting == 0
    assert gate.first_token(1) == []


def test_a_short_or_small_shared_part_is_not_worth_waiting_for() -> None:
    gate = PrefixGate()
    assert gate.admit(sequence(1, PREFIX))
    assert gate.admit(sequence(2, PREFIX[: SHARED_TOKENS - 1]))
    assert gate.admit(sequence(3, PREFIX + tuple(range(10_000, 10_000 + 2 * len(PREFIX)))))


def test_a_leader_that_leaves_early_lets_its_followers_go() -> None:
    gate = PrefixGate()
    follower = sequence(2, PREFIX)
    gate.admit(sequence(1, PREFIX))
    gate.admit(follower)
    assert gate.leave(1) == [follower]


def test_a_follower_that_is_aborted_while_held_never_enters() -> None:
    gate = PrefixGate()
    gate.admit(sequence(1, PREFIX))
    gate.admit(sequence(2, PREFIX))
    assert gate.leave(2) == []
    assert gate.first_token(1) == []


def test_the_common_prefix_is_measured_exactly() -> None:
    for length in range(9):
        assert _shared(tuple(range(length)) + (99,) * 3, tuple(range(20))) == length
