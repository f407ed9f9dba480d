"""Drawing tokens against a plain numpy definition of the same thing, row by row."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.core.generation import SamplingParams
from support.engine_driver import sequence
from support.require import require

pytestmark = pytest.mark.hf

VOCABULARY = 3000  # more than the sampler sorts at first

parameters = st.builds(
    SamplingParams,
    temperature=st.floats(0.05, 3.0),
    top_k=st.sampled_from([0, 0, 1, 5, 900, 2000, 5000]),
    top_p=st.sampled_from([1.0, 1.0, 0.1, 0.5, 0.9, 0.999]),
    min_p=st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0]),
    seed=st.integers(0, 2**40),
)


@pytest.fixture(scope="module")
def modules() -> Any:
    """Torch and the modules under test; they cannot be imported without it."""
    require("torch")
    require("transformers")
    names = ("torch", *(f"podium.engine.adapters.transformers_{name}" for name in ("sampling", "sequence")))
    return [importlib.import_module(name) for name in names]


def _running(modules: Any, params: SamplingParams) -> Any:
    fields = {name: getattr(params, name) for name in ("temperature", "top_k", "top_p", "min_p", "seed")}
    return modules[2].Running(sequence((1,), max_tokens=9, **fields), token_limit=9)


def _defined(logits: np.ndarray[Any, Any], params: SamplingParams, uniform: float) -> tuple[int, float]:
    """The token by definition, and how close the draw was to the border of its share."""
    scaled = logits.astype(np.float64) / params.temperature
    order = np.argsort(-scaled, kind="stable")
    probabilities = np.exp(scaled[order] - scaled.max())
    if params.top_k:
        probabilities[params.top_k :] = 0.0
    probabilities /= probabilities.sum()
    if params.top_p < 1.0:
        probabilities[1:][np.cumsum(probabilities)[:-1] >= params.top_p] = 0.0
    probabilities[probabilities < params.min_p * probabilities[0]] = 0.0
    if not params.top_k and params.top_p == 1.0:
        back = np.zeros_like(probabilities)
        back[order] = probabilities
        probabilities, order = back, np.arange(len(back))
    cumulative = np.cumsum(probabilities)
    target = uniform * cumulative[-1]
    place = int(np.searchsorted(cumulative, target, side="right"))
    return int(order[place]), float(np.abs(cumulative - target).min())


@settings(max_examples=150, deadline=None)
@given(
    batch=st.lists(parameters, min_size=1, max_size=6), spread=st.sampled_from([0.3, 2.0, 8.0]), seed=st.integers(0, 99)
)
def test_a_batch_of_draws_is_what_the_definition_says(
    modules: Any, batch: list[SamplingParams], spread: float, seed: int
) -> None:
    torch, sampling, _ = modules
    logits = np.random.default_rng(seed).normal(size=(len(batch), VOCABULARY)).astype(np.float32) * spread
    drawn = sampling.draw_tokens(torch.from_numpy(logits), [_running(modules, params) for params in batch])
    for row, (params, one) in enumerate(zip(batch, drawn, strict=True)):
        expected, margin = _defined(logits[row], params, _running(modules, params).uniform())
        # At a border f32 and f64 may differ; elsewhere they may not.
        assert one.token_id == expected or margin < 1e-4


def test_equal_uniform_numbers_come_from_equal_seeds_only(modules: Any) -> None:
    streams = [
        [_running(modules, SamplingParams(seed=seed)).uniform() for seed in seeds]
        for seeds in ((5, 5), (5, 6), (-1, 2**64 - 1))
    ]
    assert streams[0][0] == streams[0][1]
    assert streams[1][0] != streams[1][1]
    assert streams[2][0] == streams[2][1], "a negative seed is its 64-bit pattern"


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_values_that_are_not_numbers_fail_their_own_row_only(modules: Any, poison: float) -> None:
    torch, sampling, _ = modules
    logits = torch.randn(3, 50)
    logits[1, 7] = poison
    batch = [_running(modules, SamplingParams(temperature=temperature, seed=1)) for temperature in (0.0, 1.0, 1.0)]
    drawn = sampling.draw_tokens(logits, batch)
    assert [one.token_id is None for one in drawn] == [False, True, False]


def test_a_banned_token_is_never_drawn_whatever_the_uniform_number(modules: Any) -> None:
    torch, sampling, _ = modules
    probabilities = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]])
    for uniform in (0.0, 0.4999999, 0.5, 1.0 - 2**-53):
        index = sampling._invert(probabilities, torch.tensor([uniform], dtype=torch.float64))
        assert int(index) in {1, 3}
