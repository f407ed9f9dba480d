"""Closing ends everything."""

from __future__ import annotations

import pytest

from support.engine_driver import sequence
from support.engine_subjects import LOADERS, PRINCIPAL_SHAPE, Checkpoints


@pytest.mark.parametrize(
    "name", ["echo", pytest.param("transformers", marks=pytest.mark.hf), pytest.param("openvino", marks=pytest.mark.hf)]
)
def test_closing_drops_running_and_waiting_sequences(name: str, checkpoints: Checkpoints) -> None:
    """That no thread or child outlives it is checked after every test."""
    engine = LOADERS[name](checkpoints, PRINCIPAL_SHAPE)
    for _ in range(12):
        engine.submit(sequence((5, 6, 7), max_tokens=100))
    engine.step()
    engine.close()
    assert not engine.has_unfinished()
