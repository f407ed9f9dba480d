"""Holm's correction."""

from __future__ import annotations

import pytest

from podium.bench.comparison.holm import holm


def test_each_step_is_corrected_for_those_that_are_left() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_figure_needs_no_correction() -> None:
    assert holm([0.04]) == [0.04]
    assert holm([]) == []
