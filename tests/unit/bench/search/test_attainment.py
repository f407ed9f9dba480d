"""How much the requests of one run say."""

from __future__ import annotations

import numpy as np
import pytest

from podium.bench.search.attainment import criterion


def test_independent_requests_count_nearly_in_full() -> None:
    draw = np.random.default_rng(1)
    shares = [criterion("x", draw.random(2000) < 0.1, 0.05).count / 2000 for _ in range(40)]
    assert 0.3 < np.mean(shares) <= 1.0


def test_requests_that_are_late_together_count_for_few() -> None:
    draw = np.random.default_rng(2)
    bursts = np.repeat(draw.random(40) < 0.1, 50)  # 2000 requests, all late or none, 50 at a time
    found = criterion("x", bursts, 0.05)
    assert found.count < 100
    assert found.share == pytest.approx(bursts.mean())


def test_nothing_and_everything_bad_are_counted_as_they_are() -> None:
    assert criterion("x", np.zeros(500, dtype=bool), 0.05).count == 500
    assert criterion("x", np.ones(500, dtype=bool), 0.05).bad == 500


def test_no_request_says_nothing() -> None:
    assert criterion("x", np.zeros(0, dtype=bool), 0.05).share == 0.0
