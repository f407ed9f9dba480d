"""Greedy decoding: the same request gives the same tokens, and in f32 they are those of transformers."""

from __future__ import annotations

import pytest

from models_factory import SHAPES
from support.engine_driver import sequence, tokens
from support.engine_subjects import LOADERS, Checkpoints, Reference, Subject

PROMPT = (17, 42, 99, 256, 300, 11)
OTHERS = ((5,), tuple(range(40, 70)), (401, 402, 403))
LONG = 40


def test_greedy_output_is_the_same_each_time(subject: Subject) -> None:
    first, second = (tokens(subject.engine, sequence(PROMPT))[0] for _ in range(2))
    assert first == second
    assert len(first) == 16


def test_greedy_output_does_not_depend_on_the_batch(subject: Subject) -> None:
    alone = [tokens(subject.engine, sequence(prompt))[0] for prompt in (PROMPT, *OTHERS)]
    assert tokens(subject.engine, *(sequence(prompt) for prompt in (PROMPT, *OTHERS))) == alone


def test_greedy_output_does_not_depend_on_who_joins_and_leaves(subject: Subject) -> None:
    lengths = (12, 30, 3, 21)
    prompts = (PROMPT, *OTHERS)
    alone = [
        tokens(subject.engine, sequence(prompt, max_tokens=length))[0]
        for prompt, length in zip(prompts, lengths, strict=True)
    ]
    staggered = [sequence(prompt, max_tokens=length) for prompt, length in zip(prompts, lengths, strict=True)]
    assert tokens(subject.engine, *staggered, stagger=True) == alone


def test_more_sequences_than_fit_the_batch_are_all_answered(subject: Subject) -> None:
    count = subject.engine.facts.max_batch_sequences + 3
    if count > 64:
        count = 20
    expected = tokens(subject.engine, sequence(PROMPT, max_tokens=5))[0]
    answers = tokens(subject.engine, *(sequence(PROMPT, max_tokens=5) for _ in range(count)))
    assert answers == [expected] * count


@pytest.mark.hf
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine_name", ["transformers", "openvino"])
def test_greedy_output_in_f32_equals_generate(engine_name: str, shape: str, checkpoints: Checkpoints) -> None:
    engine = LOADERS[engine_name](checkpoints, shape)
    reference = Reference(checkpoints.torch(shape))
    try:
        prompts = (PROMPT, *OTHERS)
        expected = [reference.greedy(prompt, LONG) for prompt in prompts]
        assert all(len(set(answer)) > 2 for answer in expected), "the test model says too little to tell engines apart"
        alone = [tokens(engine, sequence(prompt, max_tokens=LONG))[0] for prompt in prompts]
        together = tokens(engine, *(sequence(prompt, max_tokens=LONG) for prompt in prompts))
        assert alone == expected
        assert together == expected
    finally:
        engine.close()
