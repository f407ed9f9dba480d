"""Durations of a pod's life are computed from settings, so that one change carries through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podium.deploy.plan import inequalities
from podium.deploy.timing import timings_of
from support.deployments import FULL, SMALL, settings_of


def test_the_usual_numbers() -> None:
    timings = timings_of(settings_of(SMALL))
    assert (timings.pre_stop_seconds, timings.drain_seconds, timings.grace_seconds) == (10, 300, 330)
    assert (timings.startup_seconds, timings.progress_deadline_seconds) == (1800, 2100)
    assert (timings.liveness_failures, timings.scale_down_seconds) == (4, 300)


def test_models_load_one_after_the_other_so_that_each_needs_its_time() -> None:
    assert timings_of(settings_of(FULL)).startup_seconds == 2 * 1800


def test_a_model_that_loads_on_demand_needs_no_time_at_the_start() -> None:
    models = [{"name": "a", "source": "builtin:demo"}, {"name": "b", "source": "builtin:demo", "load": "demand"}]
    assert timings_of(settings_of({**SMALL, "models": models})).startup_seconds == 1800


def test_a_drain_that_is_given_is_kept() -> None:
    document = {**SMALL, "server": {"drain_seconds": 400.0}}
    assert timings_of(settings_of(document)).grace_seconds == 10 + 400 + 20


@given(
    stream=st.integers(1, 3600), propagation=st.integers(1, 60), margin=st.integers(1, 600), load=st.integers(1, 5000)
)
def test_whatever_is_given_the_computed_rest_fits(stream: int, propagation: int, margin: int, load: int) -> None:
    timing = {
        "longest_stream_seconds": stream,
        "route_propagation_seconds": propagation,
        "stop_margin_seconds": margin,
        "slowest_load_seconds": load,
    }
    settings = settings_of(FULL, timing=timing)
    assert [each.failure() for each in inequalities(settings, "cpu") if not each.holds] == []
