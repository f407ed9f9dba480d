"""The order of runs: A and B in turn, so that whatever drifts touches both alike."""

from __future__ import annotations

import random
from typing import Literal

Side = Literal["A", "B"]


def interleaved(pairs: int, seed: int) -> list[Side]:
    """``pairs`` runs of each side in blocks of ABBA or BAAB, a coin for each block; neighbours form the pairs.

    Within a block a steady drift cancels; the coin makes the two sides of a pair exchangeable, which the test needs.
    """
    coin = random.Random(seed)  # noqa: S311 - an order of runs, no secret
    order: list[Side] = []
    for block in range((pairs + 1) // 2):
        first: list[Side] = ["A", "B"] if coin.random() < 0.5 else ["B", "A"]
        order += first if 2 * block + 1 == pairs else [*first, *reversed(first)]
    return order
