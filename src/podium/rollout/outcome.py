"""One request's first attempt, as far as it is known: the piece that evidence is counted from."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

Arm = Literal["stable", "canary"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a first attempt, at some moment.

    Attributes:
        key: tells attempts apart; the same in everything that is learnt of one attempt.
        arm: where the weights sent it, also when its server was out and another arm answered.
        began: when the request arrived, in seconds since 1970.
        ended: whether anything more can become known.
        failed: it had a 5xx, a reset, a timeout, or no healthy server, before its first byte.
        broken: it ended wrongly after its first byte: cut, or in an error. A client that left is neither.
        invalid: it ended well and said nothing.
        first_byte_seconds: how long the first byte took; None when there was none yet.
        lasted_seconds: how long it had run, then.
        seconds_per_token: time between two of its tokens, on average; None where its server does not tell.
        user: an opaque key of whoever sent it, where that is known.
        kept: its answer was a kept one, or somebody else's: how soon it came says nothing about the version.
    """

    key: str
    arm: Arm
    began: float
    ended: bool = False
    failed: bool = False
    broken: bool = False
    invalid: bool = False
    first_byte_seconds: float | None = None
    lasted_seconds: float = 0.0
    seconds_per_token: float | None = None
    user: int | None = None
    kept: bool = False

    def learnt(self, other: Self) -> Self:
        """This with what ``other`` says about the same attempt; what was decided stays."""
        return self if self.ended or other.lasted_seconds < self.lasted_seconds else other
