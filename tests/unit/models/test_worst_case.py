"""What is reserved of a quota before a request is admitted."""

from __future__ import annotations

from podium.core.generation import SamplingParams, TokensPrompt
from podium.engine.interface import EngineFacts
from podium.models.worst_case import estimate

PROMPT = TokensPrompt(tuple(range(10)))
SHARED = EngineFacts("echo", "1", "cpu", "exact", max_model_len=64, max_batch_sequences=1)
APART = EngineFacts(
    "echo", "1", "cpu", "exact", max_model_len=64, max_batch_sequences=1, max_output_tokens=60, default_output_tokens=12
)


def outputs(facts: EngineFacts, max_tokens: int | None, *, n: int = 1) -> int:
    return estimate(PROMPT, SamplingParams(max_tokens=max_tokens, n=n), facts, 20).output_tokens


def test_a_prompt_takes_from_the_answer_s_room_where_they_share_a_context() -> None:
    assert [outputs(SHARED, most) for most in (None, 7, 1000)] == [20, 7, 54]


def test_it_takes_nothing_where_each_has_its_own_and_the_checkpoint_s_bound_comes_before_the_server_s() -> None:
    assert [outputs(APART, most) for most in (None, 7, 1000)] == [12, 7, 60]
    assert outputs(APART, None, n=3) == 36
