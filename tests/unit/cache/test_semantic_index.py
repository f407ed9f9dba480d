"""The index of answered questions, against a plain list of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from podium.cache.key import CacheKey
from podium.cache.semantic_index import SemanticIndex, Vector

MOST = 5
NUMBERS = st.integers(0, 9)
PARTITIONS = [b"a", b"b"]


def key(number: int) -> CacheKey:
    return CacheKey(bytes([number]) * 32, "t", "m")


def vector(angle: float) -> Vector:
    """Of length 1; the cosine of two of them is that of the difference of their angles."""
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


class AgainstAList(RuleBasedStateMachine):
    """(digest, partition, angle, end), least recently used first."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.index = SemanticIndex(max_entries=MOST, clock=lambda: self.now)
        self.rows: list[tuple[int, bytes, float, float]] = []

    @rule(
        number=st.integers(0, 9), partition=st.sampled_from(PARTITIONS), angle=st.integers(0, 20), ttl=st.integers(1, 9)
    )
    def add(self, number: int, partition: bytes, angle: int, ttl: int) -> None:
        self.index.add(partition, vector(angle / 10), key(number), ttl_seconds=ttl)
        self.rows = [row for row in self.rows if row[0] != number]
        self.rows = [*self.rows, (number, partition, angle / 10, self.now + ttl)][-MOST:]

    @rule(number=st.integers(0, 9))
    def forget(self, number: int) -> None:
        self.index.forget(key(number))
        self.rows = [row for row in self.rows if row[0] != number]

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(partition=st.sampled_from(PARTITIONS), angle=st.integers(0, 20))
    def look(self, partition: bytes, angle: int) -> None:
        match = self.index.nearest(partition, vector(angle / 10))
        there = [row for row in self.rows if row[1] == partition and row[3] > self.now]
        assert (match is None) == (not there)
        if match is not None:
            best = min(abs(row[2] - angle / 10) for row in there)
            assert match.similarity == pytest.approx(np.cos(best), abs=1e-5)
            used = next(row for row in there if key(row[0]) == match.key)
            assert abs(used[2] - angle / 10) == pytest.approx(best)
            self.rows = [*(row for row in self.rows if row != used), used]

    @invariant()
    def the_bound_holds(self) -> None:
        assert len(self.index) == len(self.rows) <= MOST


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_partition_whose_vectors_have_another_length_is_begun_anew() -> None:
    index = SemanticIndex(max_entries=9)
    index.add(b"a", vector(0.0), key(1), ttl_seconds=9)
    assert index.nearest(b"a", np.ones(3, dtype=np.float32)) is None
    index.add(b"a", np.array([1, 0, 0], dtype=np.float32), key(2), ttl_seconds=9)
    assert len(index) == 1


def test_many_questions_fit_one_partition() -> None:
    index = SemanticIndex(max_entries=200)
    for number in range(200):
        index.add(b"a", vector(number / 1000), key(number), ttl_seconds=9)
    match = index.nearest(b"a", vector(0.1234))
    assert match is not None
    assert match.key == key(123)
