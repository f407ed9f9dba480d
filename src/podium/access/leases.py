"""What one request holds of its caller's quotas, from admission to its end."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from podium.access.ledger import NOTHING, Ask, Progress, Settlement, Used
from podium.access.prices import ModelPrice
from podium.core.standing import Standing

FIRST_OUTPUT_TOKENS = 256
"""Declared of a request that nothing is known of yet: most answers are shorter."""

_NEVER = 1 << 62


class Terms(NamedTuple):
    """What was reserved, at what price, and when (seconds of a monotonic clock).

    ``cached``: it is answered without computing, so that its tokens do not count.
    """

    price: ModelPrice
    prompt_tokens: int
    output_tokens: int
    began: float
    cached: bool = False

    @property
    def first_declared(self) -> Used:
        """What to charge for a request that was admitted and never heard of again."""
        return self.price.used(self.prompt_tokens, min(self.output_tokens, FIRST_OUTPUT_TOKENS))


class LeaseOwner(Protocol):
    """Who made a lease."""

    def settled(self, settlement: Settlement) -> None:
        """It ended."""

    def hurry(self, lease: Lease) -> None:
        """It is faster than it declared: renew it soon."""


class Lease:
    """A reservation. ``standings`` is how the caller stood with its quotas when it was made.

    ``settle`` ends it (``ended``). Dropped without that, its time runs out and what it declared is charged.
    """

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_output_tokens",
        "_owner",
        "_prompt_tokens",
        "_terms",
        "ask",
        "ended",
        "standings",
    )

    def __init__(self, ask: Ask, standings: tuple[Standing, ...], terms: Terms, owner: LeaseOwner) -> None:
        self.ask = ask
        self.standings = standings
        self._terms = terms
        self._owner = owner
        self._prompt_tokens = 0
        self._output_tokens = 0
        self.ended = False
        self._alarm = self._next_alarm(0, FIRST_OUTPUT_TOKENS)

    def note(self, prompt_tokens: int, output_tokens: int) -> None:
        """Progress so far, in all; what counts if this process dies. Cheap."""
        self._prompt_tokens = prompt_tokens
        self._output_tokens = output_tokens
        if output_tokens >= self._alarm:
            self._alarm = _NEVER
            self._owner.hurry(self)

    def settle(self, prompt_tokens: int, output_tokens: int) -> None:
        """The request is over and used this much; what else was held is free. Once; later calls do nothing.

        Never waits, never raises.
        """
        if self.ended:
            return
        self.ended = True
        terms = self._terms
        used = NOTHING if terms.cached else terms.price.used(prompt_tokens, output_tokens)
        self._owner.settled(Settlement(self.ask, used, terms.cached))

    def settle_as_noted(self) -> None:
        """The request is cut off."""
        self.settle(self._prompt_tokens, self._output_tokens)

    def progress(self, now: float, interval_seconds: float) -> Progress:
        """How far it is, and what to charge if it is not heard of again; the next one is due in ``interval_seconds``.

        Declared is twice what its pace so far makes of the interval, at least a few hundred tokens, at most what
        is reserved. When half of it is there the next renewal comes early, so that what is declared stays ahead.
        """
        terms, prompt_tokens, output_tokens = self._terms, self._prompt_tokens, self._output_tokens
        pace = output_tokens / max(now - terms.began, 0.001)
        ahead = max(FIRST_OUTPUT_TOKENS, int(2 * pace * interval_seconds))
        self._alarm = self._next_alarm(output_tokens, ahead)
        declared = terms.price.used(
            max(terms.prompt_tokens, prompt_tokens),
            max(output_tokens, min(terms.output_tokens, output_tokens + ahead)),
        )
        return Progress(self.ask, terms.price.used(prompt_tokens, output_tokens), declared)

    def _next_alarm(self, output_tokens: int, ahead: int) -> int:
        """The count at which to declare more; never where all that may come is declared."""
        if not self.ask.limits or output_tokens + ahead >= self._terms.output_tokens:
            return _NEVER
        return output_tokens + ahead // 2
