"""Penalties and bias against a plain numpy reference, decoded greedily."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.engine_driver import sequence, tokens
from support.engine_subjects import Reference, Subject

PROMPT = (17, 42, 99, 256, 300, 11, 17, 42)
COUNT = 24


def _penalised(
    logits: np.ndarray[Any, Any],
    generated: list[int],
    *,
    repetition_penalty: float = 1.0,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
) -> np.ndarray[Any, Any]:
    """Repetition over prompt and output (CTRL); presence and frequency over the output only (OpenAI)."""
    changed = logits.copy()
    for token in {*PROMPT, *generated}:
        changed[token] = (
            changed[token] / repetition_penalty if changed[token] > 0 else changed[token] * repetition_penalty
        )
    for token in set(generated):
        changed[token] -= presence_penalty + frequency_penalty * generated.count(token)
    return changed


def _expected(reference: Reference, **penalties: float) -> list[int]:
    generated: list[int] = []
    for _ in range(COUNT):
        logits = reference.logits([*PROMPT, *generated])[-1]
        generated.append(int(np.argmax(_penalised(logits, generated, **penalties))))
    return generated


@pytest.mark.parametrize(
    "penalties",
    [
        {"repetition_penalty": 1.4},
        {"repetition_penalty": 0.8},
        {"presence_penalty": 1.5},
        {"presence_penalty": -1.0},
        {"frequency_penalty": 0.9},
        {"repetition_penalty": 1.2, "presence_penalty": 0.5, "frequency_penalty": 0.7},
    ],
    ids=str,
)
def test_penalties_do_what_their_definitions_say(
    model: Subject, reference: Reference, penalties: dict[str, Any]
) -> None:
    if any(model.refuses(parameter) for parameter in penalties):
        return
    assert tokens(model.engine, sequence(PROMPT, max_tokens=COUNT, **penalties))[0] == _expected(reference, **penalties)


def test_penalties_of_one_sequence_leave_its_neighbours_alone(model: Subject) -> None:
    plain = tokens(model.engine, sequence(PROMPT, max_tokens=COUNT))[0]
    strong = sequence(PROMPT, max_tokens=COUNT, frequency_penalty=2.0)
    assert tokens(model.engine, strong, sequence(PROMPT, max_tokens=COUNT))[1] == plain


def test_a_bias_of_100_forces_a_token_and_of_minus_100_bans_it(subject: Subject) -> None:
    if subject.refuses("logit_bias"):
        return
    natural = tokens(subject.engine, sequence(PROMPT, max_tokens=6))[0]
    forced = tokens(subject.engine, sequence(PROMPT, max_tokens=6, logit_bias={123: 100.0}))[0]
    banned = tokens(subject.engine, sequence(PROMPT, max_tokens=6, logit_bias={natural[0]: -100.0}))[0]
    assert forced == [123] * 6
    assert natural[0] not in banned


def test_a_bias_is_added_to_the_logit(model: Subject, reference: Reference) -> None:
    if model.refuses("logit_bias"):
        return
    logits = reference.logits(PROMPT)[-1]
    best, second = np.argsort(logits)[::-1][:2]
    gap = float(logits[best] - logits[second])
    just_less = sequence(PROMPT, max_tokens=1, logit_bias={int(second): gap * 0.9})
    just_more = sequence(PROMPT, max_tokens=1, logit_bias={int(second): gap * 1.1})
    assert tokens(model.engine, just_less, just_more) == [[int(best)], [int(second)]]
