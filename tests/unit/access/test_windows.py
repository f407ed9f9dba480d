"""Sliding windows, against a list of everything that was ever charged."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podium.access.windows import DAY, HELD_SECONDS, MINUTE, NOW, THIRTY_DAYS, WINDOWS, Bucket, Window

SMALL = Window("small", 2.0, 5)


@dataclass
class Book:
    """The judge: remembers every charge and looks at all of them each time."""

    window: Window
    charges: list[tuple[float, int]] = field(default_factory=list)
    held: int = 0

    def total(self, now: float) -> int:
        first = now // self.window.slot_seconds - self.window.slots
        return sum(amount for at, amount in self.charges if at // self.window.slot_seconds > first)

    def wait(self, amount: int, most: int, now: float) -> float | None:
        """The first moment from now on with room while all holds stay; None without one."""
        slot_seconds = self.window.slot_seconds
        moments = [now, *((now // slot_seconds + later) * slot_seconds for later in range(1, self.window.slots + 1))]
        return next((at - now for at in moments if self.total(at) + self.held + amount <= most), None)


Steps = st.lists(
    st.tuples(st.floats(0, 15), st.sampled_from(["charge", "hold", "release", "late charge"]), st.integers(0, 50)),
    max_size=40,
)


def _play(steps: list[tuple[float, str, int]], start: float) -> tuple[Bucket, Book, float]:
    now = start
    bucket, book = Bucket(SMALL, now), Book(SMALL)
    for pause, step, amount in steps:
        now += pause
        bucket.roll(now)
        if step == "charge":
            bucket.charge(amount)
            book.charges.append((now, amount))
        elif step == "late charge":
            bucket.charge(amount, age_seconds=pause)
            book.charges.append((now - pause, amount))
        elif step == "hold":
            bucket.held += amount
            book.held += amount
        else:
            bucket.release(amount)
            book.held = max(0, book.held - amount)
        assert bucket.total == book.total(now)
        assert bucket.held == book.held
    return bucket, book, now


@given(Steps, st.floats(-100, 1e6))
def test_a_bucket_counts_what_lies_in_its_window(steps: list[tuple[float, str, int]], start: float) -> None:
    _play(steps, start)


@given(Steps, st.integers(1, 60), st.integers(60, 120))
def test_the_wait_ends_at_the_first_moment_with_room(
    steps: list[tuple[float, str, int]], amount: int, most: int
) -> None:
    bucket, book, now = _play(steps, 1000.0)
    certain = book.wait(amount, most, now)
    given_wait = bucket.wait_seconds(amount, most, now)
    if certain is not None:
        assert given_wait == pytest.approx(certain)
    else:
        without_holds = Book(SMALL, book.charges).wait(amount, most, now)
        assert without_holds is not None
        assert given_wait == pytest.approx(max(HELD_SECONDS, without_holds))


@given(Steps)
@example([(0.0, "charge", 1), (2.0, "charge", 0)])  # a kept answer costs no tokens, and makes no one wait
def test_a_bucket_is_free_again_at_its_reset_and_not_before(steps: list[tuple[float, str, int]]) -> None:
    bucket, book, now = _play(steps, 1000.0)
    bucket.held = book.held = 0
    reset = bucket.reset_seconds(now)
    assert book.total(now + reset) == 0
    if book.total(now):
        assert book.total(now + reset - 0.001) > 0


def test_what_is_held_resets_as_if_it_ended_now() -> None:
    bucket = Bucket(SMALL, 1001.0)
    bucket.held = 3
    assert bucket.reset_seconds(1001.0) == 9.0


def test_a_charge_counts_for_the_promised_length_and_at_most_a_slot_longer() -> None:
    for window in (MINUTE, DAY, THIRTY_DAYS):
        for at in (0.0, 0.25 * window.slot_seconds, 0.999 * window.slot_seconds):
            bucket = Bucket(window, at)
            bucket.charge(1)
            bucket.roll(at + window.seconds)
            assert bucket.total == 1
            bucket.roll(at + window.seconds + window.slot_seconds)
            assert bucket.total == 0


def test_windows_have_the_promised_lengths() -> None:
    assert {quota: window.seconds for quota, window in WINDOWS.items()} == {
        "requests_per_minute": 60,
        "tokens_per_minute": 60,
        "tokens_per_day": 86_400,
        "concurrent_requests": 0,
        "budget_per_day": 86_400,
        "budget_per_30_days": 30 * 86_400,
    }


def test_a_clock_that_goes_back_frees_nothing_early_and_loses_nothing() -> None:
    bucket = Bucket(SMALL, 1000.0)
    bucket.charge(5)
    bucket.roll(500.0)
    bucket.charge(2)
    assert bucket.total == 7
    assert bucket.wait_seconds(1, 7, 500.0) == 510.0
    bucket.roll(1009.9)
    assert bucket.total == 7
    bucket.roll(1010.0)
    assert bucket.empty


def test_concurrency_remembers_nothing() -> None:
    bucket = Bucket(NOW, 0.0)
    bucket.held = 1
    bucket.charge(1)
    assert (bucket.total, bucket.wait_seconds(1, 1, 0.0), bucket.reset_seconds(0.0)) == (0, HELD_SECONDS, HELD_SECONDS)
    bucket.release(1)
    assert bucket.empty
    assert bucket.wait_seconds(1, 1, 0.0) == 0
