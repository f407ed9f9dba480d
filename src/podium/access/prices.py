"""What tokens cost, in whole micro-units of the operator's currency."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from podium.access.ledger import MICRO, Used
from podium.config.access import Price

ANY = "*"


class ModelPrice(msgspec.Struct, frozen=True):
    """Price of a token in 10^-12 of the unit: a price for a million tokens is exact to six decimals."""

    input_pico: int = 0
    output_pico: int = 0

    @property
    def free(self) -> bool:
        """Whether tokens cost nothing."""
        return not (self.input_pico or self.output_pico)

    def micro(self, prompt_tokens: int, output_tokens: int) -> int:
        """What that many tokens cost, rounded up to a whole micro-unit."""
        return -(-(prompt_tokens * self.input_pico + output_tokens * self.output_pico) // MICRO)

    def used(self, prompt_tokens: int, output_tokens: int) -> Used:
        """The tokens with their cost."""
        if not (self.input_pico or self.output_pico):
            return Used(prompt_tokens, output_tokens)
        return Used(prompt_tokens, output_tokens, self.micro(prompt_tokens, output_tokens))


FREE = ModelPrice()


class Prices:
    """The price table; `*` is for every model that is not listed, and what is not priced is free."""

    def __init__(self, table: Mapping[str, Price]) -> None:
        self._prices = {model: _exact(price) for model, price in table.items()}
        self._other = self._prices.get(ANY, FREE)

    def of(self, model: str) -> ModelPrice:
        """The price of ``model``."""
        return self._prices.get(model, self._other)


def budget_micro(budget: float) -> int:
    """A budget in micro-units, rounded down."""
    return int(Fraction(str(budget)) * MICRO)


def _exact(price: Price) -> ModelPrice:
    return ModelPrice(_pico(price.input_per_million), _pico(price.output_per_million))


def _pico(per_million: float) -> int:
    """Money for a million tokens, as 10^-12 of the unit for one; a fraction of that is rounded up."""
    exact = Fraction(str(per_million)) * MICRO
    return -(-exact.numerator // exact.denominator)
