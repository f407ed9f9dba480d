"""Money is counted in whole micro-units, never too little."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from hypothesis import given
from hypothesis import strategies as st

from podium.access.prices import FREE, Prices, budget_micro
from podium.config.access import Price

Amounts = st.decimals(0, 1000, places=6)


@given(Amounts, Amounts, st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_cost_is_exact_and_rounded_up_once(
    per_prompt: Decimal, per_output: Decimal, prompt: int, output: int
) -> None:
    price = Prices({"m": Price(input_per_million=float(per_prompt), output_per_million=float(per_output))}).of("m")
    exact = per_prompt * prompt + per_output * output  # micro-units: a price for a million, times tokens
    assert price.micro(prompt, output) == int(exact.to_integral_value(ROUND_CEILING))
    used = price.used(prompt, output)
    assert (used.prompt_tokens, used.output_tokens, used.micro) == (prompt, output, price.micro(prompt, output))


def test_a_model_without_a_price_has_that_of_the_star_and_without_that_is_free() -> None:
    listed = Price(input_per_million=2.0)
    assert Prices({"a": listed, "*": Price(output_per_million=1.0)}).of("b").micro(10, 10) == 10
    assert Prices({"a": listed}).of("b") == FREE
    assert FREE.free
    assert not Prices({"a": listed}).of("a").free


def test_a_price_too_small_to_count_is_not_nothing() -> None:
    assert Prices({"a": Price(input_per_million=1e-9)}).of("a").micro(1, 0) == 1


def test_a_budget_is_never_more_than_was_said() -> None:
    assert budget_micro(2.5) == 2_500_000
    assert budget_micro(0.1) == 100_000
    assert budget_micro(0.0000019) == 1
