"""The rings: what is kept, for how long, and that nothing learnt is not zero."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.monitor.catalog import MOST_ROWS
from podium.monitor.rings import COARSE_SLOTS, FINE_SECONDS, Rings

MEGABYTES_20 = 20_000_000


def test_the_largest_catalog_stays_below_20_megabytes() -> None:
    assert Rings(MOST_ROWS).nbytes < MEGABYTES_20


def test_a_skipped_second_is_a_gap() -> None:
    rings = Rings(1)
    rings.write(10, {0: 5.0}, covered_seconds=1.0)
    rings.write(12, {0: 7.0}, covered_seconds=2.0)
    slots, seconds = rings.read([0], 3)
    assert seconds == 1
    assert slots[0][0] == 5.0
    assert math.isnan(slots[0][1])
    assert slots[0][2] == 7.0


def test_a_row_of_which_nothing_was_learnt_is_a_gap_beside_one_that_was() -> None:
    rings = Rings(2)
    rings.write(1, {0: 1.0}, covered_seconds=1.0)
    (first, second), _ = rings.read([0, 1], 1)
    assert first[0] == 1.0
    assert math.isnan(second[0])


def test_after_a_long_silence_nothing_of_the_old_hour_is_left() -> None:
    rings = Rings(1)
    for second in range(100):
        rings.write(second, {0: 1.0}, covered_seconds=1.0)
    rings.write(100 + 2 * FINE_SECONDS, {0: 2.0}, covered_seconds=1.0)
    slots, _ = rings.read([0], FINE_SECONDS)
    assert [value for value in slots[0] if not math.isnan(value)] == [2.0]


def test_beyond_an_hour_counters_are_summed_and_levels_averaged_in_tens() -> None:
    rings = Rings(2, levels=[1])
    for second in range(20):
        rings.write(second, {0: 1.0, 1: float(second)}, covered_seconds=1.0)
    (counter, level), seconds = rings.read([0, 1], FINE_SECONDS + 1)
    assert seconds == 10
    assert list(counter[-2:]) == [10.0, 10.0]
    assert list(level[-2:]) == [4.5, 14.5]


def test_a_day_is_kept_and_not_more() -> None:
    rings = Rings(1)
    rings.write(0, {0: 1.0}, covered_seconds=1.0)
    rings.write(10 * (COARSE_SLOTS - 1), {0: 1.0}, covered_seconds=1.0)
    assert [value for value in rings.read([0], 86400)[0][0] if not math.isnan(value)] == [1.0, 1.0]
    rings.write(10 * COARSE_SLOTS, {0: 1.0}, covered_seconds=1.0)
    assert [value for value in rings.read([0], 86400)[0][0] if not math.isnan(value)] == [1.0, 1.0]


def test_time_never_goes_back() -> None:
    rings = Rings(1)
    rings.write(5, {}, covered_seconds=1.0)
    with pytest.raises(ValueError, match="order of time"):
        rings.write(5, {}, covered_seconds=1.0)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 1000)), min_size=1, max_size=60))
def test_no_increment_is_lost_between_seconds_and_tens(steps: list[tuple[int, int]]) -> None:
    rings, second = Rings(1), 0
    for pause, amount in steps:
        second += pause
        rings.write(second, {0: float(amount)}, covered_seconds=float(pause))
    total = sum(amount for _, amount in steps)
    for seconds in (FINE_SECONDS, 86400):
        slots, _ = rings.read([0], seconds)
        assert sum(value for value in slots[0] if not math.isnan(value)) == total
