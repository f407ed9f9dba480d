"""A histogram's series: both kinds of buckets hold every value, and each bucket has its newest example."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.core.trace_context import TraceContext
from podium.telemetry.distribution import Distribution
from podium.telemetry.protobuf_format import spans

DURATIONS = st.floats(min_value=1e-9, max_value=1e6)


@given(st.lists(DURATIONS, max_size=50))
def test_every_value_is_in_one_bucket_of_each_kind(values: list[float]) -> None:
    found = Distribution((0.1, 1.0, 10.0))
    for value in values:
        found.observe(value)
    for bound, seen, _ in found.buckets():
        assert seen == sum(value <= bound for value in values)
    assert found.count == sum(found.exponential.values()) + found.zeros == len(values)
    assert found.total == pytest.approx(sum(values))


@given(DURATIONS)
def test_the_number_of_an_exponential_bucket_is_that_of_the_format(value: float) -> None:
    found = Distribution(())
    found.observe(value)
    ((number, _),) = found.exponential.items()
    assert number == pytest.approx(math.ceil(math.log2(value) * 8), abs=1)  # at a bound the logarithm is not exact
    assert 2 ** ((number - 1) / 8) * (1 - 1e-12) <= value <= 2 ** (number / 8) * (1 + 1e-12)


def test_a_power_of_two_is_the_upper_bound_of_its_bucket() -> None:
    found = Distribution(())
    for value in (0.25, 0.5, 1.0, 2.0):
        found.observe(value)
    assert set(found.exponential) == {-16, -8, 0, 8}


def test_nothing_is_a_value_too() -> None:
    found = Distribution((0.1,))
    found.observe(0.0)
    assert (found.zeros, found.exponential, [seen for _, seen, _ in found.buckets()]) == (1, {}, [1, 1])


def test_a_bucket_shows_its_newest_example_and_a_value_without_one_takes_none_away() -> None:
    found = Distribution((1.0,))
    for value, trace in ((0.5, "a"), (0.6, "b"), (0.7, None), (2.0, "c")):
        found.observe(value, TraceContext(trace, "span") if trace else None)
    shown = [example and (example.labels["trace_id"], example.value) for _, _, example in found.buckets()]
    assert shown == [("b", 0.6), ("c", 2.0)]


@given(st.dictionaries(st.integers(-300, 300), st.integers(1, 9)))
def test_spans_put_every_count_where_it_was(counts: dict[int, int]) -> None:
    at, read = 0, dict[int, int]()
    for offset, run in spans(counts):
        at += offset
        read |= {at + place: count for place, count in enumerate(run) if count}
        at += len(run)
    assert read == counts
