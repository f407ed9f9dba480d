"""A stalled client notices by its own clock."""

from __future__ import annotations

import pytest

from podium.bench.lateness import Lateness


def test_a_stall_counts_for_every_look_that_it_kept_from_happening() -> None:
    lateness = Lateness()
    assert lateness.at(99) == 0.0
    for _ in range(900):
        lateness.add(0.0002)
    assert lateness.at(99) == 0.0
    lateness.add(2.0)  # a hundred looks of twenty milliseconds, the last of them hardly late
    assert lateness.most == 2.0
    assert lateness.at(90) == 0.0
    assert lateness.at(95) == pytest.approx(1.0, abs=0.03)
    assert lateness.at(99) == pytest.approx(1.8, abs=0.03)
    assert lateness.at(100) == pytest.approx(2.0, abs=0.002)


def test_a_loop_that_is_early_is_not_late_and_a_long_sleep_is_cut() -> None:
    lateness = Lateness()
    lateness.add(-0.0005)
    assert lateness.at(100) == 0.0
    lateness.add(3600.0)
    assert (lateness.most, lateness.at(100)) == (3600.0, 10.0)
