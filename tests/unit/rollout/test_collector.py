"""First attempts become intervals: each counted once, in the interval of its arrival."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podium.rollout.analysis.stratum import Stratum
from podium.rollout.collector import DELAY_SECONDS, Collected, Collector
from podium.rollout.outcome import Arm, Outcome

SETTLE = 30.0


def outcome(
    key: str = "a", *, began: float = 100.5, arm: Arm = "canary", ended: bool = True, **more: object
) -> Outcome:
    return Outcome(key=key, arm=arm, began=began, ended=ended, **more)  # type: ignore[arg-type]


def collector(**more: object) -> Collector:
    return Collector(100.0, 1.0, SETTLE, **more)  # type: ignore[arg-type]


def closed(one: Collector, until: float) -> list[Collected]:
    found = []
    while (next_one := one.close(until)) is not None:
        found.append(next_one)
    return found


def errors(collected: Collected) -> Stratum:
    return collected.interval.counts["errors"]


def test_a_request_belongs_to_the_interval_of_its_arrival_however_late_it_is_decided() -> None:
    one = collector()
    one.add(outcome("slow", began=100.9, ended=False))
    one.add(outcome("quick", began=101.5))
    assert closed(one, 104.0) == []
    one.add(outcome("slow", began=100.9, failed=True, lasted_seconds=6.0))
    first, second = closed(one, 107.0)[:2]
    assert (errors(first), errors(second)) == (Stratum(0, 0, 1, 1), Stratum(0, 0, 1, 0))
    assert (first.began, first.ended) == (100.0, 101.0)


def test_what_is_undecided_too_long_counts_as_not_bad_and_then_as_late() -> None:
    one = collector()
    one.add(outcome("slow", began=100.5, ended=False))
    assert one.close(101.0 + SETTLE - 0.1) is None
    found = one.close(101.0 + SETTLE)
    assert found is not None
    assert (errors(found), found.undecided, one.late) == (Stratum(0, 0, 1, 0), 1, 0)
    one.add(outcome("slow", began=100.5, failed=True))
    assert one.late == 1


def test_an_interval_waits_until_what_arrived_in_it_must_have_been_read() -> None:
    one = collector()
    assert one.close(101.0 + DELAY_SECONDS - 0.01) is None
    assert one.close(101.0 + DELAY_SECONDS) is not None


def test_of_one_user_one_bad_attempt_counts_in_an_interval_and_all_attempts_do() -> None:
    one = collector()
    for number in range(5):
        one.add(outcome(str(number), failed=True, user=7))
    one.add(outcome("other", failed=True, user=8))
    one.add(outcome("nobody", failed=True))
    one.add(outcome("also nobody", failed=True))
    one.add(outcome("later", began=101.1, failed=True, user=7))
    first, second = closed(one, 110.0)[:2]
    assert errors(first) == Stratum(0, 0, 8, 4)
    assert errors(second) == Stratum(0, 0, 1, 1)


def test_an_attempt_that_waits_for_its_first_byte_is_as_slow_as_it_is_old() -> None:
    one = collector()
    one.add(outcome("waiting", began=100.0, ended=False))
    one.add(outcome("streaming", began=100.0, ended=False, first_byte_seconds=0.2, lasted_seconds=25.0))
    one.add(outcome("client left", began=100.0, lasted_seconds=9.0))
    one.add(outcome("failed", began=100.0, failed=True, lasted_seconds=1.0))
    found = one.close(101.0 + SETTLE)
    assert found is not None
    assert sorted(found.interval.samples["ttft"].canary) == [0.2, 9.0, 31.0]


def test_a_broken_stream_is_aborted_and_no_error() -> None:
    one = collector()
    one.add(outcome(broken=True, first_byte_seconds=0.1))
    found = one.close(110.0)
    assert found is not None
    assert (errors(found).canary_bad, found.interval.counts["aborted"].canary_bad) == (0, 1)


def test_a_user_is_drawn_once_and_requests_without_a_user_each_time() -> None:
    users = {1}
    one = collector(users=users)
    for number, user in enumerate([1, 2, 2, None, None, 3]):
        one.add(outcome(str(number), user=user, arm="stable" if user == 3 else "canary"))
    found = one.close(110.0)
    assert found is not None
    assert found.interval.assignments == (1, 3)
    assert users == {1, 2, 3}


def test_users_that_an_earlier_process_has_counted_are_not_drawn_again() -> None:
    one = collector(users_since=90.0)
    one.add(outcome("before the rollout", began=80.0, user=1))
    one.add(outcome("counted already", began=95.0, user=2))
    for user in (1, 2):
        one.add(outcome(f"now {user}", user=user))
    found = one.close(110.0)
    assert found is not None
    assert (errors(found).canary_attempts, found.interval.assignments) == (2, (0, 1))


@st.composite
def lines(draw: st.DrawFn) -> list[Outcome]:
    """What becomes known of up to 30 attempts, in any order that a log can have."""
    found: list[Outcome] = []
    for number in range(draw(st.integers(0, 30))):
        began = 100.0 + draw(st.integers(0, 99)) / 10
        arm: Arm = draw(st.sampled_from(("stable", "canary")))
        more = {"began": began, "arm": arm, "user": draw(st.sampled_from((None, 1, 2, 3)))}
        moments = draw(st.lists(st.booleans(), max_size=2))
        for moment, _ in enumerate(moments):
            found.append(outcome(str(number), ended=False, lasted_seconds=moment, **more))  # type: ignore[arg-type]
        if draw(st.booleans()) or not moments:
            failed = draw(st.booleans())
            found.append(outcome(str(number), failed=failed, lasted_seconds=5.0, **more))  # type: ignore[arg-type]
    return draw(st.permutations(found))


@given(lines(), st.lists(st.floats(100.0, 140.0), max_size=10))
def test_every_attempt_is_counted_exactly_once_in_the_interval_of_its_arrival(
    given_lines: list[Outcome], looks: list[float]
) -> None:
    """Whatever the order of lines and however often one looks: attempts add up, and bad ones are capped by user."""
    one = collector()
    for line in given_lines:
        one.add(line)
    intervals: list[Collected] = []
    for until in [*sorted(looks), 1000.0]:
        intervals += closed(one, until) if until < 1000.0 else [found for found in _rest(one) if found is not None]
    for number in range(10):
        here = {line.key for line in given_lines if int(line.began - 100.0) == number}
        counted = errors(intervals[number])
        assert counted.stable_attempts + counted.canary_attempts == len(here)
        bad = {line.key: line.user for line in given_lines if line.key in here and line.ended and line.failed}
        users = {user for user in bad.values() if user is not None}
        assert counted.stable_bad + counted.canary_bad == len(users) + sum(user is None for user in bad.values())
    assert [found.began for found in intervals] == [100.0 + number for number in range(len(intervals))]


def _rest(one: Collector) -> list[Collected | None]:
    return [one.close(200.0) for _ in range(12)]


def test_kept_answers_count_as_attempts_and_tell_nothing_of_latency() -> None:
    """A canary gets few requests, so fewer of them hit; that must not look like a slow version."""
    one = collector()
    one.add(outcome("hit", first_byte_seconds=0.001, kept=True))
    one.add(outcome("miss", first_byte_seconds=0.2))
    (found,) = closed(one, 102.0 + DELAY_SECONDS)[:1]
    assert errors(found) == Stratum(0, 0, 2, 0)
    assert found.interval.samples["ttft"].canary == (0.2,)
