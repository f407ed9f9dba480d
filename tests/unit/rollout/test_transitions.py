"""A rollout moves by facts only, and no order of events breaks an invariant."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.core.errors import Conflict
from podium.rollout import events as e
from podium.rollout.state import DEADLINES, ENDED, Phase, RolloutState, breaches
from podium.rollout.terms import Terms
from podium.rollout.transitions import after

STEPS = (500, 2500, 10_000)
STARTED = e.Started(at=0, revision="v2", steps=STEPS)


def advance(at: float = 0) -> list[e.Event]:
    return [e.SplitAgreed(at=at), e.Judged(at=at, verdict="ADVANCE", reason="certified")]


def acknowledged(units: int) -> e.Event:
    return e.Acknowledged(at=0, canary_units=units)


WHOLE_WAY: list[e.Event] = [
    STARTED,
    e.CanaryReady(at=1),
    e.Warmed(at=2),
    acknowledged(500),
    *advance(),
    acknowledged(2500),
    *advance(),
    acknowledged(10_000),
    e.DeadlinePassed(at=9),
    e.Drained(at=10),
]


def played(events: list[e.Event], state: RolloutState | None = None) -> RolloutState:
    state = RolloutState() if state is None else state
    for event in events:
        state = after(state, event)
        assert breaches(state) == [], event
    return state


def test_a_good_canary_goes_the_whole_way() -> None:
    phases = [played(WHOLE_WAY[: number + 1]).phase for number in range(len(WHOLE_WAY))]
    step = [Phase.APPLYING, Phase.ACKED, Phase.OBSERVING]
    assert phases == [
        *(Phase.PREPARING, Phase.WARMING),
        *step,
        *step,
        *(Phase.APPLYING, Phase.BAKING, Phase.DRAINING, Phase.DONE),
    ]


def test_no_weight_moves_before_the_canary_is_ready_and_warm() -> None:
    assert played(WHOLE_WAY[:2]).wanted_units == 0
    assert (played(WHOLE_WAY[:3]).wanted_units, played(WHOLE_WAY[:3]).stable_units) == (500, 9500)


def test_no_step_is_taken_without_the_acknowledgement_of_these_very_weights() -> None:
    applying = played(WHOLE_WAY[:3])
    with pytest.raises(Conflict, match="400 units were acknowledged, 500 are wanted"):
        after(applying, acknowledged(400))
    with pytest.raises(Conflict, match="split-agreed cannot happen while a rollout is applying"):
        after(applying, e.SplitAgreed(at=0))


def test_weights_that_are_not_acknowledged_are_sent_twice_then_the_last_acknowledged_ones_return() -> None:
    applying = played(WHOLE_WAY[:6])
    again = after(applying, e.DeadlinePassed(at=20))
    assert (again.phase, again.wanted_units, again.deadline) == (Phase.APPLYING, 2500, 30)
    held = after(again, e.DeadlinePassed(at=30))
    assert (held.phase, held.wanted_units, held.held_from) == (Phase.HELD, 500, Phase.APPLYING)
    assert played([e.Approved(at=31)], held).wanted_units == 2500


def test_a_bad_canary_leaves_before_its_requests_are_gone() -> None:
    observing = played(WHOLE_WAY[:5])
    aborting = after(observing, e.Judged(at=50, verdict="ROLLBACK", reason="worse in errors"))
    assert (aborting.phase, aborting.wanted_units, aborting.reason) == (Phase.ABORTING, 0, "worse in errors")
    ended = played([acknowledged(0), e.Drained(at=60, cut=2)], aborting)
    assert (ended.phase, ended.aborted, ended.cut_streams) == (Phase.ROLLED_BACK, ("v2",), 2)


def test_an_abort_that_is_not_acknowledged_keeps_trying() -> None:
    aborting = played([*WHOLE_WAY[:5], e.Aborted(at=5, reason="by hand")])
    later = played([e.DeadlinePassed(at=15), e.DeadlinePassed(at=25), e.Aborted(at=26, reason="again")], aborting)
    assert (later.phase, later.wanted_units, later.reason) == (Phase.ABORTING, 0, "by hand")
    with pytest.raises(Conflict, match="0 are wanted"):
        after(later, acknowledged(500))


def test_an_aborted_revision_is_not_tried_again_and_another_one_is() -> None:
    ended = played([*WHOLE_WAY[:5], e.Aborted(at=5, reason=""), acknowledged(0), e.Drained(at=6)])
    with pytest.raises(Conflict, match="was aborted and is not tried again"):
        after(ended, STARTED)
    assert played([e.Started(at=7, revision="v3", steps=STEPS)], ended).phase is Phase.PREPARING


@pytest.mark.parametrize("number", range(2, 10))
def test_a_canary_that_is_no_longer_ready_loses_its_traffic_in_every_phase(number: int) -> None:
    state = played([*WHOLE_WAY[:number], e.CanaryUnready(at=5)])
    assert (state.phase, state.wanted_units) == (Phase.ABORTING, 0)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_newer_revision_ends_the_present_one_and_that_one_may_come_back(number: int) -> None:
    events = [*WHOLE_WAY[:number], e.Superseded(at=5, by="v3"), acknowledged(0), e.Drained(at=6)]
    state = played(events)
    assert (state.phase, state.superseded_by, state.aborted) == (Phase.SUPERSEDED, "v3", ())


def test_what_was_rolled_back_stays_refused_when_something_else_is_started_after_it() -> None:
    bad = e.Judged(at=50, verdict="ROLLBACK", reason="worse in errors")
    events = [*WHOLE_WAY[:5], bad, e.Superseded(at=51, by="v3"), acknowledged(0), e.Drained(at=60)]
    state = played(events)
    assert (state.phase, state.aborted) == (Phase.SUPERSEDED, ("v2",))


def test_a_hold_for_want_of_attempts_ends_when_they_come() -> None:
    blind = played([*WHOLE_WAY[:4], e.DeadlinePassed(at=60)])
    assert played([e.SplitAgreed(at=61)], blind).phase is Phase.OBSERVING
    inconclusive = played([*WHOLE_WAY[:5], e.DeadlinePassed(at=3600)])
    with pytest.raises(Conflict, match="cannot end a hold that began while observing"):
        after(inconclusive, e.SplitAgreed(at=3601))


def test_the_terms_say_how_long_phases_last() -> None:
    terms = Terms(bake_seconds=7, step_deadline_seconds=50, preview_seconds=100)
    started = e.Started(at=0, revision="v2", steps=STEPS, terms=terms)
    assert played([started, e.CanaryReady(at=1)]).deadline == 1 + 900 + 100
    assert played([started, *WHOLE_WAY[1:5]]).deadline == 50
    assert played([started, *WHOLE_WAY[1:10]]).deadline == 7


def test_what_takes_too_long_is_held_and_a_hold_ends_by_itself() -> None:
    held = played([*WHOLE_WAY[:5], e.DeadlinePassed(at=3600)])
    assert (held.phase, held.wanted_units, held.reason) == (Phase.HELD, 500, "no verdict in time")
    assert held.deadline == 3600 + 86_400
    assert played([e.DeadlinePassed(at=held.deadline)], held).phase is Phase.ABORTING


def test_a_hold_while_observing_ends_by_approval_or_by_evidence() -> None:
    held = played([*WHOLE_WAY[:5], e.DeadlinePassed(at=3600)])
    for event in (e.Approved(at=1), e.Judged(at=1, verdict="ADVANCE", reason="certified")):
        assert (after(held, event).phase, after(held, event).wanted_units) == (Phase.APPLYING, 2500)
    assert after(held, e.Judged(at=1, verdict="ROLLBACK", reason="")).phase is Phase.ABORTING


def test_proof_cannot_end_a_hold_that_is_about_something_else() -> None:
    blind = played([*WHOLE_WAY[:4], e.DeadlinePassed(at=60)])
    with pytest.raises(Conflict, match="cannot end a hold that began while acked"):
        after(blind, e.Judged(at=1, verdict="ADVANCE", reason=""))
    assert played([e.Approved(at=61)], blind).phase is Phase.OBSERVING


def test_shadowing_comes_before_the_first_weight_where_it_is_wanted() -> None:
    shadow = e.Started(at=0, revision="v2", steps=STEPS, shadow=True)
    state = played([shadow, *WHOLE_WAY[1:3]])
    assert (state.phase, state.wanted_units) == (Phase.SHADOWING, 0)
    assert played([e.ShadowAgreed(at=5)], state).wanted_units == 500
    held = played([e.DeadlinePassed(at=5)], state)
    assert played([e.Approved(at=6)], held).wanted_units == 500


def test_proof_can_be_skipped_but_not_readiness() -> None:
    assert played([*WHOLE_WAY[:4], e.Skipped(at=5)]).wanted_units == 10_000
    with pytest.raises(Conflict, match="nothing can be skipped"):
        after(played(WHOLE_WAY[:1]), e.Skipped(at=5))


@pytest.mark.parametrize("steps", [(), (500,), (2500, 500, 10_000), (0, 10_000), (500, 500, 10_000), (10_000, 10_000)])
def test_steps_that_cannot_finish_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(Conflict, match="needed: increasing from above 0 to 10,000"):
        after(RolloutState(), e.Started(at=0, revision="v2", steps=steps))


def test_nothing_but_a_start_happens_to_a_rollout_that_has_ended() -> None:
    done = played(WHOLE_WAY)
    for event in (e.Aborted(at=0, reason=""), e.Superseded(at=0, by="x"), e.CanaryUnready(at=0), e.Skipped(at=0)):
        with pytest.raises(Conflict, match="while a rollout is done; possible: started"):
            after(done, event)
    assert after(done, e.Started(at=0, revision="v3", steps=STEPS)).phase is Phase.PREPARING


def test_every_phase_that_waits_knows_what_to_do_when_it_took_too_long() -> None:
    assert set(DEADLINES) == set(Phase) - ENDED


KINDS = get_args(e.Event)


@st.composite
def anything(draw: st.DrawFn) -> e.Event:
    kind = draw(st.sampled_from(KINDS))
    facts: dict[type[e.Event], dict[str, object]] = {
        e.Started: {"revision": draw(st.sampled_from("abc")), "steps": STEPS, "shadow": draw(st.booleans())},
        e.Acknowledged: {"canary_units": draw(st.sampled_from((0, *STEPS)))},
        e.Judged: {"verdict": draw(st.sampled_from(("ADVANCE", "ROLLBACK"))), "reason": "r"},
        e.Aborted: {"reason": "r"},
        e.Superseded: {"by": "z"},
    }
    event: e.Event = kind(at=0.0, **facts.get(kind, {}))
    return event


@given(st.lists(anything(), max_size=80))
def test_no_order_of_events_breaks_an_invariant(events: list[e.Event]) -> None:
    state = RolloutState()
    for event in events:
        before = state
        try:
            state = after(state, event)
        except Conflict:
            assert state is before
        assert breaches(state) == []
        skipped = isinstance(event, e.Skipped)
        assert skipped or state.wanted_units <= before.wanted_units or state.phase is Phase.APPLYING


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (RolloutState(wanted_units=10_001), "weights are between"),
        (RolloutState(steps=STEPS, wanted_units=500), "a canary that is not ready"),
        (RolloutState(phase=Phase.ABORTING, deadline=1, canary_ready=True, steps=STEPS, wanted_units=1), "that leaves"),
        (RolloutState(phase=Phase.OBSERVING, deadline=1, acknowledged_units=1), "what is observed"),
        (RolloutState(canary_ready=True, steps=STEPS, wanted_units=501), "never gets more than its step"),
        (RolloutState(phase=Phase.WARMING), "has a deadline"),
        (RolloutState(phase=Phase.HELD, deadline=1), "knows where it stood"),
        (RolloutState(phase=Phase.ROLLED_BACK, acknowledged_units=1), "a rolled back canary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_state_that_breaks_an_invariant_is_noticed(state: RolloutState, rule: str) -> None:
    assert any(rule in breach for breach in breaches(state))
