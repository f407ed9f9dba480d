"""Random sampling: seeds, temperature and the three cuts."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.engine_driver import sequence, tokens
from support.engine_subjects import Reference, Subject

PROMPT = (17, 42, 99, 256, 300, 11)
OTHER = tuple(range(100, 125))
DRAWS = 96
TEMPERATURE = 1.4


def _first_tokens(subject: Subject, count: int = DRAWS, **sampling: Any) -> list[int]:
    """First tokens for ``count`` different seeds."""
    sequences = [sequence(PROMPT, max_tokens=1, seed=1000 + seed, **sampling) for seed in range(count)]
    return [answer[0] for answer in tokens(subject.engine, *sequences)]


def test_a_seed_determines_the_answer(subject: Subject) -> None:
    first, second = (tokens(subject.engine, sequence(PROMPT, temperature=1.0, seed=5))[0] for _ in range(2))
    assert first == second


def test_different_seeds_give_different_answers(model: Subject) -> None:
    answers = [
        tuple(answer)
        for answer in tokens(model.engine, *(sequence(PROMPT, temperature=TEMPERATURE, seed=seed) for seed in range(6)))
    ]
    assert len(set(answers)) == 6


def test_a_seeded_answer_does_not_depend_on_the_batch(subject: Subject) -> None:
    def seeded(seed: int, **sampling: Any) -> list[int]:
        return tokens(subject.engine, sequence(PROMPT, temperature=1.3, seed=seed, **sampling))[0]

    variants: list[dict[str, Any]] = [{}, {"top_k": 20}, {"top_p": 0.8}, {"top_p": 0.9, "min_p": 0.02}]
    alone = [seeded(seed, **variant) for seed, variant in enumerate(variants)]
    together = [
        *(sequence(PROMPT, temperature=1.3, seed=seed, **variant) for seed, variant in enumerate(variants)),
        sequence(OTHER, temperature=0.7, seed=77),
        sequence(OTHER),
    ]
    assert tokens(subject.engine, *together, stagger=True)[: len(variants)] == alone


def test_tokens_come_as_often_as_their_probability_says(model: Subject, reference: Reference) -> None:
    expected = reference.probabilities(PROMPT, TEMPERATURE)
    drawn = _first_tokens(model, 600, temperature=TEMPERATURE)
    observed = np.bincount(drawn, minlength=len(expected)) / len(drawn)
    likely = np.argsort(expected)[::-1][:8]
    # Five standard deviations of a share: a wrong temperature or cut is further away, chance is not.
    bounds = 5 * np.sqrt(expected[likely] * (1 - expected[likely]) / len(drawn)) + 1e-3
    assert (np.abs(observed[likely] - expected[likely]) < bounds).all()
    assert observed[likely].sum() > 0.1


def test_top_k_draws_from_the_k_most_likely_tokens_only(model: Subject, reference: Reference) -> None:
    expected = set(np.argsort(reference.probabilities(PROMPT))[::-1][:3].tolist())
    drawn = set(_first_tokens(model, temperature=8.0, top_k=3))
    assert drawn == expected


def test_top_k_of_one_is_greedy(model: Subject) -> None:
    greedy = tokens(model.engine, sequence(PROMPT))[0]
    assert tokens(model.engine, sequence(PROMPT, temperature=3.0, top_k=1, seed=9))[0] == greedy


def test_top_p_draws_from_the_smallest_set_that_holds_p(model: Subject, reference: Reference) -> None:
    probabilities = reference.probabilities(PROMPT, TEMPERATURE)
    order = np.argsort(probabilities)[::-1]
    mass = np.cumsum(probabilities[order])
    # Halfway between two cumulative values, so that rounding cannot move a token over the border.
    top_p = float((mass[4] + mass[5]) / 2)
    allowed = set(order[:6].tolist())
    drawn = set(_first_tokens(model, temperature=TEMPERATURE, top_p=top_p))
    assert drawn <= allowed
    assert len(drawn) >= 3


def test_min_p_draws_no_token_below_its_share_of_the_best_one(model: Subject, reference: Reference) -> None:
    if model.refuses("min_p"):
        return
    probabilities = reference.probabilities(PROMPT, TEMPERATURE)
    ranked = np.sort(probabilities)[::-1]
    min_p = float((ranked[4] + ranked[5]) / 2 / ranked[0])
    allowed = set(np.argsort(probabilities)[::-1][:5].tolist())
    drawn = set(_first_tokens(model, temperature=TEMPERATURE, min_p=min_p))
    assert drawn <= allowed
    assert len(drawn) >= 2


def test_a_very_small_temperature_is_greedy(model: Subject) -> None:
    greedy = tokens(model.engine, sequence(PROMPT))[0]
    assert tokens(model.engine, sequence(PROMPT, temperature=1e-4, seed=4))[0] == greedy
