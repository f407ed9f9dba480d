"""Places and marks on an axis."""

from __future__ import annotations

import pytest

from podium.bench.page.scale import linear, logarithmic, number_text, seconds_text


def test_a_linear_scale_holds_zero_and_every_value() -> None:
    scale = linear([2.0, 8.0], 0, 100)
    assert scale(0) == 0
    assert scale(8.0) <= 100
    assert scale.marks() == [0, 2, 4, 6, 8]


def test_a_logarithmic_scale_marks_round_values() -> None:
    assert logarithmic([0.003, 0.2], 0, 100).marks() == pytest.approx([0.005, 0.01, 0.02, 0.05, 0.1, 0.2])
    assert logarithmic([0.0, -1.0], 0, 100).low > 0


@pytest.mark.parametrize("values", [[5.0], [0.0], [3.0, 3.0]])
def test_a_single_value_still_has_a_scale(values: list[float]) -> None:
    for scale in (linear(values, 0, 100), linear(values, 0, 100, from_zero=False), logarithmic(values, 0, 100)):
        assert 0 <= scale(values[0]) <= 100


def test_a_value_outside_stays_on_the_chart() -> None:
    assert linear([1.0], 0, 100)(99) == 100


def test_numbers_are_written_for_people() -> None:
    assert [seconds_text(value) for value in (0, 0.0351, 1.5, 300)] == ["0", "35.1 ms", "1.5 s", "300 s"]
    assert [number_text(value) for value in (12345.6, 3.14159)] == ["12,346", "3.14"]
