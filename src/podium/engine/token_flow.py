"""Where the tokens of a model went: read by somebody, given up, or waiting to be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TokenFlow:
    """Output tokens of one model, over all its workers and loads.

    At any moment ``sampled == delivered + discarded + unread``: ``sampled`` is counted where messages of workers come
    in, the others where answers are read. What a worker made and could not tell before it died is in none of them.
    """

    sampled: int = 0
    delivered: int = 0
    discarded: int = 0
    unread: int = 0

    def arrive(self, count: int) -> None:
        """Tokens wait for the reader of their request."""
        self.unread += count

    def read(self, count: int) -> None:
        """Their reader took them."""
        self.unread -= count
        self.delivered += count

    def give_up(self, count: int) -> None:
        """Their reader left before taking them."""
        self.unread -= count
        self.discarded += count
