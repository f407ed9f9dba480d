"""Drives an engine adapter in this process, the way a worker does: submit, step, collect."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from podium.core.generation import FinishReason, SamplingParams
from podium.engine.interface import Engine, EngineSequence, RawLogprob, SequenceOutput

_MOST_STEPS = 5000
_ids = itertools.count(1)


@dataclass
class Answer:
    """Everything that an engine said about one sequence."""

    token_ids: list[int] = field(default_factory=list)
    logprobs: list[RawLogprob] = field(default_factory=list)
    prompt_logprobs: list[RawLogprob] | None = None
    finish_reason: FinishReason | None = None
    error: tuple[str, str] | None = None

    def add(self, output: SequenceOutput) -> None:
        """Append one step's output; nothing may follow the end."""
        assert self.finish_reason is None, "output after the end"
        assert self.error is None, "output after an error"
        self.token_ids.extend(output.token_ids)
        self.logprobs.extend(output.logprobs or ())
        if output.prompt_logprobs is not None:
            assert self.prompt_logprobs is None, "prompt log probabilities came twice"
            self.prompt_logprobs = list(output.prompt_logprobs)
        self.finish_reason = output.finish_reason
        self.error = output.error


def sequence(
    prompt: Iterable[int],
    *,
    max_tokens: int = 16,
    stop_token_ids: Iterable[int] = (),
    **sampling: Any,
) -> EngineSequence:
    """A sequence as the worker would prepare it; greedy unless ``temperature`` is given."""
    params = SamplingParams(**{"temperature": 0.0, "seed": 0, "max_tokens": max_tokens, **sampling})
    return EngineSequence(
        id=next(_ids),
        token_ids=tuple(prompt),
        sampling=params,
        stop_token_ids=frozenset(stop_token_ids),
        max_tokens=max_tokens,
    )


def run(engine: Engine, *sequences: EngineSequence, stagger: bool = False) -> list[Answer]:
    """Answers of all sequences. With ``stagger`` each one is submitted a step after the one before."""
    answers = {one.id: Answer() for one in sequences}
    waiting = list(sequences)
    for _ in range(_MOST_STEPS):
        while waiting:
            engine.submit(waiting.pop(0))
            if stagger:
                break
        for output in engine.step():
            answers[output.sequence_id].add(output)
        if not waiting and not engine.has_unfinished():
            return list(answers.values())
    raise AssertionError(f"the engine did not finish within {_MOST_STEPS} steps")


def tokens(engine: Engine, *sequences: EngineSequence, stagger: bool = False) -> list[list[int]]:
    """Token ids of all answers, none of which may be an error."""
    answers = run(engine, *sequences, stagger=stagger)
    assert [answer.error for answer in answers] == [None] * len(answers)
    return [answer.token_ids for answer in answers]
