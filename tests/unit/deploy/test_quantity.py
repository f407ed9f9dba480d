"""Quantities and durations, as Kubernetes writes them."""

from __future__ import annotations

import pytest

from podium.deploy.quantity import parse_duration, parse_quantity, quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), (4, 4), ("500m", 0.5), ("1.5Gi", 1.5 * 2**30), ("8G", 8e9), ("lots", None), ("", None), (None, None)],
)
def test_a_quantity_is_a_number_or_none(text: object, value: float | None) -> None:
    assert parse_quantity(text) == value


def test_what_is_no_quantity_is_refused_where_one_is_needed() -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity("lots")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("15m", 900), ("1h30m", 5400), ("250ms", 0.25), ("5 minutes", None), ("", None), (30, None)],
)
def test_a_duration_is_seconds_or_none(text: object, seconds: float | None) -> None:
    assert parse_duration(text) == seconds
