"""The loop does one thing at a time, writes down what it sees, and goes on from what is written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from podium.aio import tasks
from podium.core.errors import GatewayRejected, GatewayUnavailable, Unavailable
from podium.rollout import events as e
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.shadow_evidence import Pair, ShadowTerms
from podium.rollout.analysis.verdict import Hold
from podium.rollout.course import Observed
from podium.rollout.history import verify
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.outcome import Arm, Outcome
from podium.rollout.ports import Readiness
from podium.rollout.readiness_guard import LOADING_SECONDS, UNREADY_SECONDS
from podium.rollout.reconciler import Reconciler
from podium.rollout.recorded import recorded
from podium.rollout.state import LEAVING, Phase
from podium.rollout.terms import Terms
from podium.rollout.unwritten import Unwritten
from support.rollout_ways import TRANSITIONS, WAYS
from support.rollout_world import FakeWorld

POLICY = Policy(interval_seconds=1, soak_seconds=2, min_canary_requests=5, max_bad_rate_increase=0.5, blind_seconds=5)
TERMS = Terms(environment="green", stable="blue", policy=POLICY, bake_seconds=3, settle_seconds=10)
STEPS = (5000, 10_000)
START = e.Started(at=1000, revision="v2", steps=STEPS, terms=TERMS)


class Driven:
    """A reconciler of a file, turned by hand."""

    def __init__(
        self, fake: FakeWorld, history: HistoryOnDemand, *, since: float, overruled: bool, loading_seconds: float
    ) -> None:
        self.fake, self.history = fake, history
        self.reconciler = Reconciler(
            history, fake.world, watching_since=since, loading_seconds=loading_seconds, overruled=overruled
        )
        self._numbers = iter(range(1_000_000))
        self.copies: list[Outcome] = []

    @property
    def phase(self) -> Phase:
        return self.history.state.phase

    def turn(self, times: int = 1) -> Phase:
        for _ in range(times):
            asyncio.run(self.reconciler.turn())
        return self.phase

    def second(self, *, stable: int = 10, canary: int = 10, bad: int = 0, named: int = 0) -> None:
        """A second of traffic passes, and the log is read to its end. ``named``: 1, each second of the same users."""
        for number in range(stable + canary):
            arm: Arm = "stable" if number < stable else "canary"
            failed = arm == "canary" and number - stable < bad
            began = self.fake.seconds + number / (stable + canary)
            user = number if named else None
            key = str(next(self._numbers))
            found = [Outcome(key=key, arm=arm, began=began, ended=True, failed=failed, user=user)]
            self.copies += found
            self.reconciler.take(found)
        self.fake.seconds += 1
        self.reconciler.caught_up(self.fake.seconds)

    def serve(self, seconds: int, **traffic: int) -> None:
        for _ in range(seconds):
            self.second(**traffic)
            self.turn()

    def serve_until(self, phase: Phase, **traffic: int) -> None:
        for _ in range(100):
            self.serve(1, **traffic)
            if self.phase is phase:
                return
        raise AssertionError(f"it is {self.phase}: {self.reconciler.trouble or self.reconciler.verdict}")


@contextmanager
def driven(
    file: Path,
    fake: FakeWorld | None = None,
    *,
    since: float = 0.0,
    overruled: bool = False,
    loading_seconds: float = LOADING_SECONDS,
) -> Iterator[Driven]:
    with HistoryOnDemand(file) as history:
        world = FakeWorld() if fake is None else fake
        yield Driven(world, history, since=since, overruled=overruled, loading_seconds=loading_seconds)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rollouts.db"


def written(one: Driven) -> list[str]:
    return [str(type(told.entry.event).__struct_config__.tag) for told in one.history.log]


def test_a_good_canary_goes_the_whole_way(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        assert one.turn(3) is Phase.ACKED
        assert one.fake.told == [5000]
        one.serve_until(Phase.OBSERVING)
        one.serve_until(Phase.BAKING)
        assert one.fake.told == [5000, 10_000]
        one.serve_until(Phase.DONE, stable=0)
        one.turn()
        assert one.fake.stable == "green"


def test_with_the_same_users_all_day_a_good_canary_goes_on_all_the_same(file: Path) -> None:
    """Nobody new is assigned after the first second: that is no lack of attempts."""
    longer = msgspec.structs.replace(POLICY, soak_seconds=2 * POLICY.blind_seconds)
    with driven(file) as one:
        terms = msgspec.structs.replace(TERMS, policy=longer)
        one.reconciler.write(msgspec.structs.replace(START, terms=terms), actor="alice")
        one.turn(3)
        one.serve_until(Phase.BAKING, named=1)


def test_what_can_be_done_at_once_waits_for_no_tick(file: Path) -> None:
    """Three events within less than the pause between two looks; measured by turns, not by a clock."""
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")

        async def run() -> None:
            task = tasks.start(one.reconciler.run(), name="rollouts")
            for _ in range(100):
                await asyncio.sleep(0)
            await tasks.stop(task)

        asyncio.run(run())
        assert one.phase is Phase.ACKED


def test_a_bad_canary_is_aborted_while_nobody_has_seen_enough_to_promote_it(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.serve(12, bad=5)
        assert one.turn(3) is Phase.ROLLED_BACK
        assert one.fake.told[-1] == 0
        assert "worse in errors" in one.history.state.reason


def test_a_hold_is_never_written_down(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.serve(10)
        assert isinstance(one.reconciler.verdict, Hold)
        assert written(one) == ["started", "canary-ready", "warmed", "acknowledged", "split-agreed"]


def patient() -> Terms:
    return msgspec.structs.replace(TERMS, policy=msgspec.structs.replace(POLICY, soak_seconds=600))


def test_nothing_moves_until_every_server_is_ready_and_answers_through_the_gateway(file: Path) -> None:
    with driven(file, FakeWorld(ready=Readiness(1, 2), reached=False)) as one:
        one.reconciler.write(START, actor="alice")
        assert one.turn(3) is Phase.PREPARING
        one.fake.ready = Readiness(2, 2)
        assert one.turn(3) is Phase.WARMING
        one.fake.reached = True
        one.turn()
        assert (one.phase, one.fake.told) == (Phase.APPLYING, [])


def test_what_a_gateway_says_when_it_refuses_reaches_the_operator(file: Path) -> None:
    with driven(file, FakeWorld(refusal=GatewayRejected("It says: no such cluster"))) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        assert one.reconciler.trouble == "It says: no such cluster"
        for _ in range(2):
            one.fake.seconds += 11
            one.turn()
        assert one.phase is Phase.HELD
        assert one.history.state.reason == "not acknowledged by every gateway: It says: no such cluster"
        assert one.history.state.wanted_units == 0


def test_a_gateway_that_is_away_is_asked_once_a_second_and_not_more_often(file: Path) -> None:
    with driven(file, FakeWorld(refusal=GatewayUnavailable("nobody"))) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(4)
        one.fake.refusal = None
        one.turn()
        assert one.fake.told == []
        one.fake.seconds += 1
        assert one.turn() is Phase.ACKED


def test_weights_that_somebody_else_moved_are_put_right(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.fake.units = None
        one.turn()
        assert one.fake.units == 5000


def test_a_decision_during_a_wait_is_not_overwritten_by_what_was_waited_for(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(2)
        split = one.fake.split

        async def slow(canary: str, stable: str, units: int) -> None:
            if units:
                one.reconciler.write(e.Aborted(at=one.fake.seconds, reason="stop"), actor="bob")
            await split(canary, stable, units)

        one.fake.split = slow  # type: ignore[method-assign]
        assert one.turn() is Phase.ABORTING
        assert one.turn(2) is Phase.ROLLED_BACK
        assert one.fake.told[-1] == 0


def test_an_abort_that_cannot_be_told_keeps_trying_and_writes_nothing(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.fake.refusal = GatewayUnavailable("nobody")
        one.reconciler.write(e.Aborted(at=1000, reason="stop"), actor="bob")
        count = len(one.history.log)
        for _ in range(5):
            one.fake.seconds += 20
            assert one.turn() is Phase.ABORTING
        assert len(one.history.log) == count
        one.fake.refusal = None
        one.fake.seconds += 20
        assert one.turn(2) is Phase.ROLLED_BACK


@contextmanager
def unwritable(file: Path, one: Driven) -> Iterator[None]:
    """Somebody else holds the history, as a full disk would keep anything from being written."""
    history = one.history._history
    assert history is not None
    assert history._connection is not None
    history._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def test_an_abort_that_cannot_be_written_takes_the_traffic_away_and_is_written_later(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        with unwritable(file, one):
            with pytest.raises(Unavailable, match="traffic is taken away meanwhile"):
                one.reconciler.write(e.Aborted(at=one.fake.seconds, reason="stop"), actor="bob")
            for _ in range(3):
                one.serve(1)
                assert one.fake.units == 0
            assert "cannot be written: another program holds it" in one.reconciler.trouble
            assert one.phase is Phase.ACKED
        assert one.turn(3) is Phase.ROLLED_BACK
        assert [told.entry.actor for told in one.history.log if isinstance(told.entry.event, e.Aborted)] == ["bob"]


def test_a_canary_that_dies_while_nothing_can_be_written_loses_its_traffic(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.serve(5)
        with unwritable(file, one):
            one.fake.ready = Readiness(0, 2)
            one.serve(int(UNREADY_SECONDS) + 1)
            one.turn(2)
            assert one.fake.units == 0
        assert one.turn(3) is Phase.ROLLED_BACK
        assert verify(file) == []


def test_while_nothing_can_be_written_no_step_is_taken(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        with unwritable(file, one):
            one.serve(30)
            assert (one.fake.units, one.phase) == (5000, Phase.ACKED)
        one.serve_until(Phase.BAKING)


def test_what_happens_while_nothing_can_be_written_counts_afterwards_and_once(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.serve(5)
        with unwritable(file, one):
            one.serve(6, bad=1)
            assert "cannot be written" in one.reconciler.trouble
        one.serve(5)
        course = one.history.course
    counted = course.passed.counts["errors"]
    assert counted.canary_attempts == counted.stable_attempts == 10 * course.passed.intervals
    assert course.seen_since is not None
    assert course.seen_until - course.seen_since == course.passed.intervals
    assert counted.canary_bad == 6
    assert verify(file) == []


def test_a_canary_that_fails_while_nothing_can_be_written_loses_its_traffic_by_evidence(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.serve(5)
        with unwritable(file, one):
            one.serve(10, bad=9)
            one.turn(2)
            assert (one.fake.units, one.phase) == (0, Phase.OBSERVING)
        assert one.turn(4) is Phase.ROLLED_BACK
        assert "worse in errors" in one.history.state.reason
        evidence = one.history.course.evidence
    assert evidence is not None
    assert evidence.log_e > POLICY.log_alarm
    assert verify(file) == []


def test_an_hour_and_more_without_a_disk_fills_no_memory(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        waiting = Unwritten(one.history, most_waiting=4)
        with unwritable(file, one):
            for began in range(10):
                waiting.add(Observed(rollout=1, units=5000, began=began, ended=began + 1, interval=Interval()))
            with pytest.raises(Unavailable):
                waiting.write()
        waiting.write()
        assert (one.history.course.passed.intervals, one.history.course.seen_since) == (4, 6.0)


def test_a_clock_that_is_set_back_keeps_no_abort_waiting(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.fake.refusal = GatewayUnavailable("nobody")
        one.reconciler.write(e.Aborted(at=1000, reason="stop"), actor="bob")
        one.turn()
        one.fake.refusal = None
        one.fake.seconds -= 3600
        one.turn()
        assert one.fake.units == 0


def test_streams_that_outlast_the_longest_wait_go_on_and_are_told(file: Path) -> None:
    with driven(file, FakeWorld(streams=2)) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.reconciler.write(e.Aborted(at=one.fake.seconds, reason="stop"), actor="bob")
        assert one.turn(3) is Phase.DRAINING_CANARY
        one.fake.seconds += 601
        assert one.turn() is Phase.ROLLED_BACK
        assert (one.history.state.left_streams, one.history.state.cut_streams) == (2, 0)
        assert set(one.fake.draining[:-1]) == {"green"}
        assert one.fake.draining[-1] == ""


def test_the_time_at_full_traffic_does_not_end_before_a_request_has_come(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, steps=(10_000,)), actor="alice")
        assert one.turn(3) is Phase.BAKING
        one.serve(20, stable=0, canary=0)
        assert one.phase is Phase.BAKING
        one.serve(4, stable=0)
        assert one.phase in {Phase.DRAINING, Phase.DONE}


def test_a_canary_that_surely_fails_too_often_at_full_traffic_is_rolled_back(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, steps=(10_000,)), actor="alice")
        one.turn(3)
        one.serve(12, stable=0, bad=5)
        assert one.turn(3) is Phase.ROLLED_BACK
        assert "surely more than 5.00%" in one.history.state.reason


@pytest.mark.parametrize(("bad", "end"), [(0, Phase.APPLYING), (5, Phase.ABORTING)])
def test_by_threshold_a_step_is_judged_at_its_end(file: Path, bad: int, end: Phase) -> None:
    terms = msgspec.structs.replace(TERMS, judged_by="threshold", max_error_rate=0.2)
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=terms), actor="alice")
        one.turn(3)
        for _ in range(10):
            one.second(bad=bad)
            if one.turn() is end:
                break
        assert one.phase is end


def test_a_preview_lasts_before_the_first_weight(file: Path) -> None:
    terms = msgspec.structs.replace(TERMS, strategy="blue-green", preview_seconds=60)
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=terms, steps=(10_000,)), actor="alice")
        assert one.turn(3) is Phase.WARMING
        one.fake.seconds += 60
        assert one.turn() is Phase.APPLYING


def test_what_supersedes_is_started_when_the_other_one_has_made_room(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        newer = msgspec.structs.replace(START, revision="v3")
        one.reconciler.write(e.Superseded(at=1001, by="v3", next=newer), actor="alice")
        one.turn(3)
        assert (one.phase, one.history.state.revision, one.history.state.number) == (Phase.PREPARING, "v3", 2)
    with driven(file) as again:
        assert again.history.state.revision == "v3"


def test_a_history_that_the_configuration_has_overruled_changes_no_roles(file: Path) -> None:
    done(file)
    with driven(file, overruled=True) as one:
        one.turn(3)
        assert one.fake.stable == "blue"
    with driven(file) as one:
        one.turn()
        assert one.fake.stable == "green"


def done(file: Path) -> None:
    way: list[e.Event] = [e.CanaryReady(at=1), e.Warmed(at=2), e.Acknowledged(at=3, canary_units=10_000)]
    with HistoryOnDemand(file) as history:
        for event in [msgspec.structs.replace(START, steps=(10_000,)), *way, e.DeadlinePassed(at=4), e.Drained(at=5)]:
            history.append(event, actor="test")


def test_evidence_after_a_restart_is_the_same_to_the_bit_and_no_interval_counts_twice(file: Path) -> None:
    """The attempts log is read again from its beginning, as a restarted controller does."""
    lines: list[Outcome] = []
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.copies = lines
        one.serve(10, bad=1)
        evidence, passed, seen = one.history.course.evidence, one.history.course.passed, one.history.course.seen_until
        assert evidence is not None
        fake = one.fake
    with driven(file, fake) as again:
        assert again.history.course.evidence is not None
        assert again.history.course.evidence.to_json() == evidence.to_json()
        assert again.history.course.passed == passed
        again.reconciler.take(lines)
        again.reconciler.caught_up(again.fake.seconds)
        again.turn()
        assert again.history.course.seen_until == seen
        again.second(bad=1)
        again.turn()
        counted = again.history.course.passed.counts["errors"]
        intervals = again.history.course.passed.intervals
        assert counted.canary_attempts == counted.stable_attempts == 10 * intervals


def test_in_another_run_counting_goes_on_when_the_canary_is_ready_again(file: Path) -> None:
    """Its servers load: that is no reason to roll back, what they fail meanwhile is no evidence, nor is the gap."""
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.serve(5)
        intervals = one.history.course.passed.intervals
    later = FakeWorld(seconds=2000.0, units=5000, ready=Readiness(0, 2))
    with driven(file, later, since=2000.0) as again:
        again.serve(30, bad=10)
        assert (again.phase, again.history.course.passed.intervals) == (Phase.OBSERVING, intervals)
        later.ready = Readiness(1, 2)
        again.turn()
        again.serve(5)
        assert (again.phase, again.history.course.passed.intervals) == (Phase.OBSERVING, intervals + 4)
        later.ready = Readiness(0, 2)
        assert again.turn() is Phase.OBSERVING
        later.seconds += UNREADY_SECONDS
        assert again.turn() is Phase.ABORTING


def test_a_canary_without_a_ready_server_goes_when_that_lasts_and_not_for_one_late_check(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        for ready, leaves in ((0, False), (1, False), (0, False), (0, True)):
            one.fake.ready = Readiness(ready, 2)
            assert (one.turn() is Phase.ABORTING) is leaves
            one.fake.seconds += UNREADY_SECONDS


def test_servers_of_another_run_that_never_come_are_given_up_in_the_end(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
        one.turn(3)
        one.serve(5)
    with driven(file, FakeWorld(seconds=1500.0, units=5000, ready=Readiness(0, 2)), since=1500.0) as again:
        assert again.turn() is Phase.OBSERVING
        again.fake.seconds += 1800
        again.turn()
        again.fake.seconds += UNREADY_SECONDS
        assert again.turn() is Phase.ABORTING


def observed(one: Driven) -> FakeWorld:
    """A rollout that has been observed for some seconds, and the world as it is then."""
    one.reconciler.write(msgspec.structs.replace(START, terms=patient()), actor="alice")
    one.turn(3)
    one.serve(5)
    assert one.phase is Phase.OBSERVING
    return one.fake


def test_a_controller_that_is_started_again_amid_a_run_takes_a_dead_canary_back(file: Path) -> None:
    """Its servers were ready in this run: they are not loading."""
    with driven(file, since=900.0) as one:
        fake = observed(one)
    fake.ready = Readiness(0, 2)
    with driven(file, fake, since=900.0) as again:
        assert again.turn() is Phase.OBSERVING
        fake.seconds += UNREADY_SECONDS
        assert again.turn() is Phase.ABORTING


def test_the_same_holds_in_a_rollout_that_is_older_than_the_run_once_it_was_counted_there(file: Path) -> None:
    with driven(file) as one:
        fake = observed(one)
    fake.seconds = 2000.0
    with driven(file, fake, since=2000.0) as again:
        again.turn()
        again.serve(3)
    fake.ready = Readiness(0, 2)
    with driven(file, fake, since=2000.0) as last:
        last.turn()
        fake.seconds += UNREADY_SECONDS
        assert last.turn() is Phase.ABORTING


def test_where_servers_do_not_begin_with_the_controller_a_dead_canary_is_taken_back_at_once(file: Path) -> None:
    """In a cluster the controller's pod may be new, and the servers are as old as they are."""
    with driven(file) as one:
        fake = observed(one)
    fake.seconds, fake.ready = 2000.0, Readiness(0, 2)
    with driven(file, fake, since=2000.0, loading_seconds=0) as again:
        again.turn()
        fake.seconds += UNREADY_SECONDS
        assert again.turn() is Phase.ABORTING
        assert again.history.state.reason == "the canary has no ready replica"


def test_there_its_attempts_count_from_the_controllers_start_whatever_is_known_of_servers(file: Path) -> None:
    with driven(file) as one:
        fake = observed(one)
    fake.seconds, fake.ready = 2000.0, None
    with driven(file, fake, since=2000.0, loading_seconds=0) as again:
        again.serve_until(Phase.ROLLED_BACK, bad=5)
        assert "worse in errors" in again.history.state.reason


@pytest.mark.parametrize("phase", [Phase.APPLYING, Phase.SHADOWING, Phase.BAKING, Phase.DRAINING])
def test_in_another_run_nothing_moves_before_the_canary_is_ready_again(file: Path, phase: Phase) -> None:
    """Neither a step, nor a comparison, nor the old version's leave, though the time for it is over."""
    shadow = msgspec.structs.replace(TERMS, shadow=ShadowTerms(share=0.1, max_worse=0.2))
    begun = msgspec.structs.replace(START, shadow=phase is Phase.SHADOWING, steps=(10_000,), terms=shadow)
    with driven(file, FakeWorld(streams=1)) as one:
        one.reconciler.write(begun, actor="alice")
        one.turn(2)
        if phase in {Phase.BAKING, Phase.DRAINING}:
            one.serve_until(Phase.BAKING, stable=0)
            one.serve(2, stable=0)
        if phase is Phase.DRAINING:
            one.serve_until(phase, stable=0)
        assert one.phase is phase
    units = 10_000 if phase in {Phase.BAKING, Phase.DRAINING} else 0
    later = FakeWorld(seconds=1500.0, units=units, ready=Readiness(0, 2))
    with driven(file, later, since=1500.0) as again:
        for seen in (None, Readiness(0, 2)):
            later.ready = seen
            later.seconds += 30
            again.turn(3)
            assert (again.phase, later.told, later.shadow.begun) == (phase, [], False)
        assert "no server of green is ready" in again.reconciler.trouble
        later.ready = Readiness(1, 2)
        again.turn(2)
        assert later.told or later.shadow.begun or again.phase is not phase


def test_a_canary_whose_servers_have_just_gone_does_not_become_the_stable_one(file: Path) -> None:
    with driven(file, FakeWorld(streams=1)) as one:
        one.reconciler.write(msgspec.structs.replace(START, steps=(10_000,)), actor="alice")
        one.turn(3)
        one.serve_until(Phase.DRAINING, stable=0)
        one.fake.streams, one.fake.ready = 0, Readiness(0, 2)
        assert one.turn() is Phase.DRAINING
        one.fake.seconds += UNREADY_SECONDS
        assert one.turn() is Phase.ABORTING


def test_how_long_one_canary_had_no_server_is_not_held_against_the_next(file: Path) -> None:
    with driven(file) as one:
        observed(one)
        one.fake.ready = Readiness(0, 2)
        one.turn()
        one.reconciler.write(e.Aborted(at=one.fake.seconds, reason="stop"), actor="bob")
        assert one.turn(3) is Phase.ROLLED_BACK
        one.fake.seconds += 60
        one.fake.ready = Readiness(2, 2)
        one.reconciler.write(msgspec.structs.replace(START, at=one.fake.seconds, revision="v3"), actor="alice")
        assert one.turn() is Phase.WARMING
        one.fake.ready = Readiness(0, 2)  # one check that came too late
        one.turn()
        assert one.phase not in LEAVING


@pytest.mark.parametrize(("way", "number"), TRANSITIONS.values())
def test_after_every_transition_the_next_process_stands_where_it_was_and_moves_nothing(
    file: Path, way: str, number: int
) -> None:
    """With a world that nobody can ask, and at the same moment: no event, and no weight that was not wanted before."""
    with HistoryOnDemand(file) as history:
        for event in WAYS[way][: number + 1]:
            begun = msgspec.structs.replace(event, terms=TERMS) if isinstance(event, e.Started) else event
            history.append(begun, actor="test")
        state, count = history.state, len(history.log)
    units = 0 if state.phase in LEAVING else state.acknowledged_units
    unseen = FakeWorld(
        seconds=state.phase_since, units=units, ready=None, reached=False, streams=None, refusal=GatewayUnavailable("")
    )
    with driven(file, unseen) as resumed:
        assert resumed.history.state == state
        resumed.turn(3)
        assert resumed.history.state == state
        assert len(resumed.history.log) == count
    seen = FakeWorld(seconds=state.phase_since, units=units, ready=None, reached=False, streams=None)
    with driven(file, seen) as resumed:
        resumed.turn()
        assert set(seen.told) <= {state.wanted_units}
        assert resumed.history.state.step == state.step


def shadowing(one: Driven) -> None:
    terms = msgspec.structs.replace(START.terms, shadow=ShadowTerms(share=0.1, max_worse=0.2))
    one.reconciler.write(msgspec.structs.replace(START, shadow=True, terms=terms), actor="alice")
    assert one.turn(3) is Phase.SHADOWING
    assert one.fake.shadow.begun


def compare(one: Driven, *pairs: Pair) -> Phase:
    one.fake.shadow.pairs += pairs
    one.fake.seconds += 5
    return one.turn()


def test_a_shadow_whose_answers_are_worse_never_gets_traffic_and_copying_ends(file: Path) -> None:
    with driven(file) as one:
        shadowing(one)
        assert compare(one, *[Pair(True, False)] * 8) is Phase.SHADOWING
        assert compare(one, Pair(True, False)) is Phase.ABORTING
        one.turn(4)
        assert one.phase is Phase.ROLLED_BACK
        assert not one.fake.shadow.begun
        assert set(one.fake.told) == {0}


def test_a_shadow_whose_answers_are_as_good_goes_on_to_the_first_step(file: Path) -> None:
    with driven(file) as one:
        shadowing(one)
        assert compare(one, *[Pair(True, True)] * 200) is Phase.APPLYING
        one.turn(2)
        assert not one.fake.shadow.begun
        assert one.history.course.evidence is None


def test_pairs_are_kept_and_a_controller_that_begins_anew_copies_again_and_knows_them(file: Path) -> None:
    with driven(file) as one:
        shadowing(one)
        compare(one, Pair(True, False), Pair(False, False))
        known, seconds = one.history.course.shadow, one.fake.seconds
    with driven(file, FakeWorld(seconds=seconds)) as again:
        assert again.history.course.shadow == known
        assert again.turn() is Phase.SHADOWING
        assert again.fake.shadow.begun
    assert verify(file) == []


def test_pairs_that_cannot_be_written_down_count_afterwards(file: Path) -> None:
    with driven(file) as one:
        shadowing(one)
        with unwritable(file, one):
            assert compare(one, Pair(True, False), Pair(False, False)) is Phase.SHADOWING
            compare(one, Pair(True, True))
        compare(one)
        shadow = one.history.course.shadow
        assert shadow is not None
        assert (shadow.pairs, shadow.both_bad) == (3, 1)


def test_a_shadow_that_cannot_be_compared_is_held_with_the_reason_and_copies_nothing(file: Path) -> None:
    with driven(file) as one:
        shadowing(one)
        one.fake.shadow.refusal = "a server of green counts copies"
        assert one.turn() is Phase.HELD
        one.turn()
        assert not one.fake.shadow.begun
        assert one.history.state.reason == "a server of green counts copies"
        one.reconciler.write(e.Approved(at=one.fake.seconds), actor="alice")
        assert one.phase is Phase.APPLYING


def test_a_version_is_on_every_server_before_the_canary_is_ready_and_is_looked_after_from_then_on(file: Path) -> None:
    with driven(file, FakeWorld(loaded=False)) as one:
        terms = msgspec.structs.replace(TERMS, version="m@2")
        one.reconciler.write(msgspec.structs.replace(START, terms=terms), actor="alice")
        assert one.turn(3) is Phase.PREPARING
        one.fake.loaded = True
        assert one.turn(3) is Phase.ACKED
        asked = len(one.fake.versions)
        one.fake.seconds += 6
        one.turn(3)
        assert len(one.fake.versions) == asked + 1
        assert set(one.fake.versions) == {"m@2"}


def test_a_version_that_cannot_be_loaded_is_aborted_at_the_deadline_with_the_servers_words(file: Path) -> None:
    with driven(file) as one:
        terms = msgspec.structs.replace(TERMS, version="m@2")
        one.reconciler.write(msgspec.structs.replace(START, terms=terms), actor="alice")
        one.fake.refusal = GatewayUnavailable("no such folder")
        one.turn()
        one.fake.seconds += 1800
        one.turn()
        assert one.phase is Phase.ABORTING
        assert one.history.state.reason == "the canary was not ready in time: no such folder"


def test_what_is_slow_is_known_before_the_first_step_and_outlives_the_controller(file: Path) -> None:
    with driven(file, FakeWorld(slow={"ttft": (0.1, 0.2, 0.3)})) as one:
        one.reconciler.write(START, actor="alice")
        assert one.turn(3) is Phase.ACKED
        one.fake.slow = {"ttft": (9.0, 9.0, 9.0)}
        one.serve(3)
        assert one.history.course.evidence is not None
        assert one.history.course.evidence.timed["ttft"].thresholds == (0.1, 0.2, 0.3)
        known = one.history.course
    with driven(file) as again:
        assert again.history.course == known
    assert recorded(file).recording.slow_above == {"ttft": (0.1, 0.2, 0.3)}


def test_a_canary_whose_servers_end_over_and_over_is_taken_back_whatever_its_requests_say(file: Path) -> None:
    with driven(file) as one:
        one.reconciler.write(START, actor="alice")
        one.turn(3)
        one.serve_until(Phase.OBSERVING)
        one.fake.restarted = POLICY.max_restarts
        assert one.turn() is Phase.OBSERVING
        one.fake.restarted += 1
        assert one.turn() is Phase.ABORTING
        assert one.history.state.reason == "the canary's servers were restarted 4 times since the start; 3 are allowed"
