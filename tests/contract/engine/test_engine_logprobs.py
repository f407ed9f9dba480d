"""Log probabilities: natural, of the distribution before temperature and cuts, in order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from podium.core.errors import UnsupportedParameter
from podium.engine.interface import EngineSequence
from support.engine_driver import Answer, run, sequence
from support.engine_subjects import Reference, Subject, softmax

PROMPT = (17, 42, 99, 256, 300, 11)


def _run(subject: Subject, one: EngineSequence) -> Answer | None:
    """The answer, or None when the engine refuses the request by the parameter's name."""
    if one.sampling.logprobs and _refuses_alternatives(subject, one):
        return None
    return run(subject.engine, one)[0]


def _refuses_alternatives(subject: Subject, one: EngineSequence) -> bool:
    """Whether ``submit`` refuses the sequence, by name. One that is taken is dropped again."""
    try:
        subject.engine.submit(one)
    except UnsupportedParameter as error:
        refused = error
    else:
        subject.engine.abort(one.id)
        subject.engine.step()
        return False
    assert refused.param in {"logprobs", "top_logprobs"}
    assert not subject.engine.has_unfinished()
    return True


def test_no_log_probabilities_come_unasked(subject: Subject) -> None:
    answer = run(subject.engine, sequence(PROMPT))[0]
    assert answer.logprobs == []
    assert answer.prompt_logprobs is None


def test_each_token_has_its_log_probability(subject: Subject) -> None:
    answer = _run(subject, sequence(PROMPT, logprobs=0))
    assert answer is not None
    assert [entry.token_id for entry in answer.logprobs] == answer.token_ids
    assert all(entry.logprob is not None and entry.logprob <= 0.0 for entry in answer.logprobs)
    assert all(entry.top == () for entry in answer.logprobs)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.4, "seed": 3}, {"temperature": 1.7, "top_k": 5, "seed": 3}])
def test_log_probabilities_are_those_of_the_raw_distribution(
    model: Subject, reference: Reference, sampling: dict[str, Any]
) -> None:
    answer = _run(model, sequence(PROMPT, logprobs=0, **sampling))
    assert answer is not None
    whole = [*PROMPT, *answer.token_ids]
    expected = np.log(softmax(reference.logits(whole)))
    for place, entry in enumerate(answer.logprobs, start=len(PROMPT)):
        assert entry.logprob == pytest.approx(expected[place - 1, entry.token_id], abs=2e-3)


def test_alternatives_are_the_most_likely_tokens_in_order(model: Subject, reference: Reference) -> None:
    answer = _run(model, sequence(PROMPT, logprobs=5, temperature=1.0, seed=2))
    if answer is None:
        return
    expected = np.log(softmax(reference.logits([*PROMPT, *answer.token_ids])))
    for place, entry in enumerate(answer.logprobs, start=len(PROMPT)):
        best = np.argsort(expected[place - 1])[::-1][:5]
        assert [token for token, _ in entry.top] == best.tolist()
        values = [logprob for _, logprob in entry.top]
        assert values == sorted(values, reverse=True)
        assert values == pytest.approx(expected[place - 1, best].tolist(), abs=2e-3)
        assert sum(math.exp(value) for value in values) <= 1.0 + 1e-6


def test_a_greedy_token_heads_its_own_alternatives(subject: Subject) -> None:
    answer = _run(subject, sequence(PROMPT, logprobs=3))
    if answer is None:
        return
    for entry in answer.logprobs:
        assert entry.top[0] == (entry.token_id, entry.logprob)


def test_all_alternatives_together_have_probability_one(model: Subject) -> None:
    answer = _run(model, sequence(PROMPT, max_tokens=3, logprobs=512))
    if answer is None:
        return
    for entry in answer.logprobs:
        assert len(entry.top) == 512
        assert sum(math.exp(logprob) for _, logprob in entry.top) == pytest.approx(1.0, abs=1e-4)


def test_an_echoed_prompt_has_one_entry_a_token_and_none_for_the_first(subject: Subject) -> None:
    answer = _run(subject, sequence(PROMPT, logprobs=0, echo=True))
    assert answer is not None
    assert answer.prompt_logprobs is not None
    assert [entry.token_id for entry in answer.prompt_logprobs] == list(PROMPT)
    assert answer.prompt_logprobs[0].logprob is None
    assert all(entry.logprob is not None for entry in answer.prompt_logprobs[1:])


@pytest.mark.parametrize("length", [1, 2, 40])
def test_an_echoed_prompts_log_probabilities_are_raw(model: Subject, reference: Reference, length: int) -> None:
    prompt = tuple((37 * place + 5) % 500 + 3 for place in range(length))
    answer = _run(model, sequence(prompt, max_tokens=4, logprobs=0, echo=True))
    assert answer is not None
    assert answer.prompt_logprobs is not None
    assert len(answer.prompt_logprobs) == length
    expected = np.log(softmax(reference.logits(prompt)))
    for place, entry in enumerate(answer.prompt_logprobs[1:]):
        assert entry.logprob == pytest.approx(expected[place, prompt[place + 1]], abs=2e-3)


def test_an_echoed_prompt_can_have_alternatives(model: Subject, reference: Reference) -> None:
    answer = _run(model, sequence(PROMPT, max_tokens=2, logprobs=4, echo=True))
    if answer is None:
        return
    assert answer.prompt_logprobs is not None
    expected = np.log(softmax(reference.logits(PROMPT)))
    for place, entry in enumerate(answer.prompt_logprobs[1:]):
        best = np.argsort(expected[place])[::-1][:4]
        assert [token for token, _ in entry.top] == best.tolist()


def test_a_prompt_can_be_scored_without_generating(subject: Subject) -> None:
    answer = _run(subject, sequence(PROMPT, max_tokens=0, logprobs=0, echo=True))
    assert answer is not None
    assert answer.token_ids == []
    assert answer.finish_reason == "length"
    assert answer.prompt_logprobs is not None
    assert len(answer.prompt_logprobs) == len(PROMPT)
