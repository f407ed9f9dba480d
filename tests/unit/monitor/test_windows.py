"""Windows: rates, ratios and quantiles of the newest part of the past."""

from __future__ import annotations

import math

import numpy as np
import pytest

from podium.monitor.catalog import HISTOGRAMS, Key, catalog_of
from podium.monitor.quantiles import quantile
from podium.monitor.windows import Steps
from support.monitor import Past, of_model

SHORT = Steps(count=10, seconds=2, window_seconds=10)
BOUNDS = HISTOGRAMS["e2e_seconds"]


def finished(seconds: float, each: int = 1) -> dict[Key, float]:
    """Buckets of ``each`` requests that took ``seconds``."""
    return {of_model("e2e_seconds", bound): float(each if seconds <= bound else 0) for bound in BOUNDS}


@pytest.fixture
def past() -> Past:
    return Past()


def test_an_increase_is_what_was_added_in_the_window(past: Past) -> None:
    past.passes(100, {of_model("good"): 2.0})
    past.passes(30, {of_model("good"): 1.0})
    assert past.windows.increase(of_model("good"), 40) == 30 + 10 * 2


def test_nothing_learnt_is_not_zero(past: Past) -> None:
    assert past.windows.increase(of_model("good"), 60) is None
    past.passes(10, {of_model("bad"): 0.0})
    assert past.windows.increase(of_model("good"), 60) is None
    assert past.windows.increase(of_model("bad"), 60) == 0


def test_a_share_tells_of_how_many_it_is_one(past: Past) -> None:
    past.passes(10, {of_model("bad"): 1.0, of_model("good"): 3.0})
    assert past.windows.share(of_model("bad"), [of_model("good")], 60) == (0.25, 40)


def test_without_requests_there_is_no_share(past: Past) -> None:
    past.passes(10, {of_model("bad"): 0.0, of_model("good"): 0.0})
    assert past.windows.share(of_model("bad"), [of_model("good")], 60) == (None, 0)


def test_a_level_of_which_most_is_not_known_has_no_lowest(past: Past) -> None:
    past.passes(10, {of_model("kv_ratio"): 0.9})
    assert past.windows.lowest(of_model("kv_ratio"), 60) is None
    past.passes(20, {of_model("kv_ratio"): 0.8})
    assert past.windows.lowest(of_model("kv_ratio"), 60) == pytest.approx(0.8)


def test_the_level_of_a_second_without_figures_is_not_the_one_before(past: Past) -> None:
    past.passes(5, {of_model("running"): 3.0})
    past.passes(1, {})
    assert past.windows.latest(of_model("running")) is None


def test_rates_are_per_second_and_have_gaps(past: Past) -> None:
    past.passes(20, {of_model("good"): 4.0})
    past.passes(6)
    past.passes(4, {of_model("good"): 4.0})
    points = past.windows.rate_points([of_model("good")], SHORT)
    assert [None if math.isnan(point) else point for point in points] == [4, 4, 4, 4, 4, None, None, None, 4, 4]


def test_an_increment_over_a_longer_time_is_no_peak(past: Past) -> None:
    past.passes(20, {of_model("good"): 4.0})
    past.second += 8
    past.rings.write(past.second, {past.catalog.rows[of_model("good")]: 32.0}, covered_seconds=8.0)
    assert past.windows.rate_points([of_model("good")], SHORT)[-1] == pytest.approx(4.0)


def test_a_day_has_points_too(past: Past) -> None:
    past.passes(1200, {of_model("good"): 2.0})
    points = past.windows.rate_points([of_model("good")], Steps(count=144, seconds=600, window_seconds=600))
    assert points[-1] == pytest.approx(2.0)
    assert math.isnan(points[0])


def test_a_quantile_is_interpolated_in_its_bucket(past: Past) -> None:
    past.passes(10, finished(0.3, each=10))
    value, count = past.windows.quantile(0.5, "m", "e2e_seconds", 60)
    assert count == 100
    assert value == pytest.approx(0.24)  # half way from 0.16 to 0.32


def test_a_quantile_of_nothing_is_not_known(past: Past) -> None:
    past.passes(10, finished(1.0, each=0))
    assert past.windows.quantile(0.95, "m", "e2e_seconds", 60) == (None, 0)
    assert np.isnan(past.windows.quantile_points(0.95, "m", "e2e_seconds", SHORT)).all()


def test_quantiles_of_each_point_are_of_its_own_window(past: Past) -> None:
    past.passes(30, finished(0.3))
    past.passes(12, finished(3.0))
    points = past.windows.quantile_points(0.5, "m", "e2e_seconds", SHORT)
    assert points[0] < 0.4
    assert points[-1] > 2.5


def test_quantiles_agree_with_prometheus() -> None:
    """``histogram_quantile`` of Prometheus 2.42 on the same buckets: worked by its documented rule."""
    bounds = (0.1, 0.5, 1.0, math.inf)
    counts = np.array([[10.0, 0.0, 0.0], [10.0, 5.0, 0.0], [20.0, 5.0, 0.0], [20.0, 10.0, 0.0]])
    assert quantile(0.5, bounds, counts)[:2] == pytest.approx([0.1, 0.5])
    assert quantile(0.25, bounds, counts)[0] == pytest.approx(0.05)
    assert quantile(0.75, bounds, counts)[0] == pytest.approx(0.75)
    assert quantile(0.9, bounds, counts)[1] == 1.0  # beyond the last bound: no more is known
    assert math.isnan(quantile(0.5, bounds, counts)[2])


def test_a_catalog_that_is_full_leaves_models_out_by_name() -> None:
    catalog = catalog_of(["blue"], [f"m{number}" for number in range(9)])
    assert catalog.left_out
    assert catalog.models + catalog.left_out == tuple(f"m{number}" for number in range(9))
    assert len(catalog.rows) <= 400
