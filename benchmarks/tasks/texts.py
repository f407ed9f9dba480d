"""Texts of mixed lengths, the same in every run."""

from __future__ import annotations

import math
import random

_WORDS = (
    "the sea was calm and a quiet report on the price of copper came from the harbour before noon while people "
    "waited for answers about weather traffic models servers tokens music history medicine rivers mountains"
)
FEWEST_WORDS, MOST_WORDS = 4, 160


def mixed_texts(count: int, *, seed: int = 11) -> list[str]:
    """``count`` texts of 4 to 160 words; as many of 4 to 8 as of 80 to 160."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    lengths = [round(math.exp(draw.uniform(math.log(FEWEST_WORDS), math.log(MOST_WORDS)))) for _ in range(count)]
    return [" ".join(draw.choices(_WORDS.split(), k=length)) for length in lengths]
