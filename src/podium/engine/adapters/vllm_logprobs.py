"""vLLM's log probabilities in Podium's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from podium.engine.interface import RawLogprob


class Entry(Protocol):
    """What is used of ``vllm.logprobs.Logprob``."""

    logprob: float


Position = Mapping[int, Entry]


def sampled(token_ids: Sequence[int], positions: Sequence[Position], count: int) -> list[RawLogprob]:
    """One entry for each generated token, with the ``count`` most likely ones."""
    return [_entry(token_id, position, count) for token_id, position in zip(token_ids, positions, strict=True)]


def of_prompt(token_ids: Sequence[int], positions: Sequence[Position | None], count: int) -> list[RawLogprob]:
    """One entry for each prompt token; nothing precedes the first, so it has none."""
    return [
        RawLogprob(token_id=token_id, logprob=None) if position is None else _entry(token_id, position, count)
        for token_id, position in zip(token_ids, positions, strict=True)
    ]


def _entry(token_id: int, position: Position, count: int) -> RawLogprob:
    # vLLM adds the chosen token to the most likely ones when it is not among them.
    ranked = sorted(position.items(), key=lambda item: -item[1].logprob)[:count]
    return RawLogprob(
        token_id=token_id,
        logprob=position[token_id].logprob,
        top=tuple((alternative, entry.logprob) for alternative, entry in ranked),
    )
