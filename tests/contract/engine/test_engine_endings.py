"""When a sequence ends, and what an abort or a close leaves."""

from __future__ import annotations

import contextlib

import pytest

from podium.core.errors import InvalidRequest
from support.engine_driver import Answer, run, sequence, tokens
from support.engine_subjects import Subject

PROMPT = (17, 42, 99, 251, 240, 11)  # bytes, so that `echo` knows them too


def _natural(subject: Subject, count: int = 12) -> list[int]:
    return tokens(subject.engine, sequence(PROMPT, max_tokens=count))[0]


@pytest.mark.parametrize("count", [1, 2, 17])
def test_max_tokens_is_met_exactly_and_called_length(subject: Subject, count: int) -> None:
    (answer,) = run(subject.engine, sequence(PROMPT, max_tokens=count))
    assert len(answer.token_ids) == count
    assert answer.finish_reason == "length"


def test_a_stop_token_ends_the_sequence_and_is_included(subject: Subject) -> None:
    natural = _natural(subject)
    stop = natural[4]
    (answer,) = run(subject.engine, sequence(PROMPT, max_tokens=12, stop_token_ids=[stop]))
    assert answer.token_ids == natural[: natural.index(stop) + 1]
    assert answer.finish_reason == "stop"


def test_a_token_that_is_no_stop_token_does_not_end_the_sequence(subject: Subject) -> None:
    """Without the end-of-sequence id among the stop tokens (``ignore_eos``) only the length ends it."""
    (answer,) = run(subject.engine, sequence(PROMPT, max_tokens=100, ignore_eos=True))
    assert len(answer.token_ids) == 100
    assert answer.finish_reason == "length"


def test_no_stop_token_comes_before_min_tokens(subject: Subject) -> None:
    natural = _natural(subject)
    stop = natural[1]
    (answer,) = run(subject.engine, sequence(PROMPT, max_tokens=12, min_tokens=6, stop_token_ids=[stop]))
    assert len(answer.token_ids) >= 6
    if subject.is_model:
        assert stop not in answer.token_ids[:6]


def test_the_stop_token_at_the_last_allowed_place_is_called_stop(subject: Subject) -> None:
    natural = _natural(subject)
    place = natural.index(natural[4]) + 1
    (answer,) = run(subject.engine, sequence(PROMPT, max_tokens=place, stop_token_ids=[natural[4]]))
    assert (len(answer.token_ids), answer.finish_reason) == (place, "stop")


def test_an_aborted_sequence_says_nothing_more_and_is_gone_within_one_step(subject: Subject) -> None:
    engine = subject.engine
    gone, stays = sequence(PROMPT, max_tokens=100), sequence(PROMPT[:3], max_tokens=8)
    engine.submit(gone)
    engine.submit(stays)
    answer = Answer()
    for _ in range(3):
        for output in engine.step():
            if output.sequence_id == stays.id:
                answer.add(output)
    engine.abort(gone.id)
    while engine.has_unfinished():
        for output in engine.step():
            assert output.sequence_id == stays.id
            answer.add(output)
        assert engine.gauges().running <= 1
    assert len(answer.token_ids) == 8


def test_after_aborting_everything_one_step_leaves_an_idle_engine(subject: Subject) -> None:
    engine = subject.engine
    sequences = [sequence(PROMPT, max_tokens=100) for _ in range(4)]
    for one in sequences:
        engine.submit(one)
    engine.step()
    for one in sequences:
        engine.abort(one.id)
    assert engine.step() == []
    assert not engine.has_unfinished()
    assert engine.gauges().running == 0
    assert engine.gauges().waiting == 0


def test_a_sequence_aborted_before_its_first_step_never_speaks(subject: Subject) -> None:
    one = sequence(PROMPT)
    subject.engine.submit(one)
    subject.engine.abort(one.id)
    assert subject.engine.step() == []
    assert not subject.engine.has_unfinished()


def test_aborting_an_unknown_sequence_is_ignored(subject: Subject) -> None:
    subject.engine.abort(987_654_321)
    assert not subject.engine.has_unfinished()


def test_an_abort_does_not_change_the_neighbours_tokens(subject: Subject) -> None:
    expected = tokens(subject.engine, sequence(PROMPT, max_tokens=20))[0]
    engine, answer = subject.engine, Answer()
    first, middle, last = (
        sequence((5, 6), max_tokens=50),
        sequence(PROMPT, max_tokens=20),
        sequence((9,), max_tokens=50),
    )
    for one in (first, middle, last):
        engine.submit(one)
    for step in range(60):
        for output in engine.step():
            if output.sequence_id == middle.id:
                answer.add(output)
        if step == 2:
            engine.abort(first.id)
        if step == 5:
            engine.abort(last.id)
    assert answer.token_ids == expected
    assert not engine.has_unfinished()


def test_a_prompt_longer_than_the_context_is_refused_or_ends_at_once(subject: Subject) -> None:
    """The worker refuses it before the engine sees it; an engine that gets it all the same must not hang."""
    prompt = [7] * (subject.engine.facts.max_model_len + 1)
    answer = Answer()
    with contextlib.suppress(InvalidRequest):
        (answer,) = run(subject.engine, sequence(prompt, max_tokens=4))
    assert len(answer.token_ids) <= 4
    assert not subject.engine.has_unfinished()


def test_an_idle_engine_has_nothing_to_do(subject: Subject) -> None:
    assert not subject.engine.has_unfinished()
    assert subject.engine.gauges().running == 0
