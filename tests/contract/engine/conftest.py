"""One loaded engine for each adapter, shared by the cases; plain torch beside it as the judge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.engine_subjects import LOADERS, PRINCIPAL_SHAPE, Checkpoints, Reference, Subject
from support.require import require

_MARKS = {"transformers": [pytest.mark.hf], "openvino": [pytest.mark.hf], "vllm": [pytest.mark.vllm]}
_MODELS = [name for name in LOADERS if name != "echo"]


def _parameters(names: list[str]) -> list[object]:
    return [pytest.param(name, marks=_MARKS.get(name, [])) for name in names]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def reference(checkpoints: Checkpoints) -> Reference:
    require("torch")
    return Reference(checkpoints.torch(PRINCIPAL_SHAPE))


@pytest.fixture(scope="module", params=_parameters(list(LOADERS)))
def subject(request: pytest.FixtureRequest, checkpoints: Checkpoints) -> Iterator[Subject]:
    """Every engine."""
    yield from _loaded(request.param, checkpoints)


@pytest.fixture(scope="module", params=_parameters(_MODELS))
def model(request: pytest.FixtureRequest, checkpoints: Checkpoints) -> Iterator[Subject]:
    """Every engine that runs a model, so that its numbers can be compared with the reference."""
    yield from _loaded(request.param, checkpoints)


def _loaded(name: str, checkpoints: Checkpoints) -> Iterator[Subject]:
    engine = LOADERS[name](checkpoints, PRINCIPAL_SHAPE)
    yield Subject(name, engine, is_model=name != "echo")
    engine.close()
