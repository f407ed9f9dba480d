"""What is sent: requests as token ids and text, the same for every peer, from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

PROMPT_TOKENS = 128
OUTPUT_TOKENS = 128
STREAMS = 16

STAGGERED_REQUESTS = 32
STAGGERED_INTERVAL_SECONDS = 0.15
STAGGERED_PROMPT_TOKENS = (64, 512)
STAGGERED_OUTPUT_TOKENS = (32, 128)

PREFIX_TOKENS = 512
PREFIX_TAIL_TOKENS = 16
PREFIX_OUTPUT_TOKENS = 32


@dataclass(frozen=True)
class Request:
    """One generation: sent ``at_seconds`` after the start, exactly ``output_tokens`` long, greedy."""

    token_ids: tuple[int, ...]
    output_tokens: int
    at_seconds: float = 0.0


class Prompts:
    """Prompts for one model's vocabulary. Equal seeds give equal prompts; different seeds share no prefix."""

    def __init__(self, checkpoint: Path) -> None:
        self._words: list[int] = json.loads((checkpoint / "words.json").read_text())
        self._checkpoint = checkpoint

    def text(self, token_ids: Sequence[int]) -> str:
        """The text that has exactly these tokens."""
        text: str = _tokenizer(self._checkpoint).decode(list(token_ids))
        return text

    def streams(
        self, seed: str, count: int, prompt_tokens: int = PROMPT_TOKENS, output_tokens: int = OUTPUT_TOKENS
    ) -> list[Request]:
        """``count`` requests at once."""
        draw = _generator(seed)
        return [Request(self._ids(draw, prompt_tokens), output_tokens) for _ in range(count)]

    def staggered(self, seed: str) -> list[Request]:
        """Requests of mixed sizes, one arriving at each interval.

        The sizes are the same for all seeds, so that rounds can be compared; the tokens are not.
        """
        draw, sizes = _generator(seed), _generator("staggered")
        return [
            Request(
                self._ids(draw, sizes.randint(*STAGGERED_PROMPT_TOKENS)),
                sizes.randint(*STAGGERED_OUTPUT_TOKENS),
                number * STAGGERED_INTERVAL_SECONDS,
            )
            for number in range(STAGGERED_REQUESTS)
        ]

    def shared_prefix(self, seed: str) -> list[Request]:
        """Requests at once that begin with the same long prefix and end differently."""
        draw = _generator(seed)
        prefix = self._ids(draw, PREFIX_TOKENS)
        return [Request(prefix + self._ids(draw, PREFIX_TAIL_TOKENS), PREFIX_OUTPUT_TOKENS) for _ in range(STREAMS)]

    def _ids(self, draw: random.Random, count: int) -> tuple[int, ...]:
        return tuple(draw.choices(self._words, k=count))


def _generator(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable numbers, not secrets


@cache
def _tokenizer(checkpoint: Path) -> Tokenizer:
    return Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
