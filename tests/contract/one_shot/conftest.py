"""One loaded engine for each adapter, on a real sentence-embedding model where it runs one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from podium.config.models import Embedding
from support.one_shot_subjects import MINILM, ONE_SHOT_LOADERS, Encoders, OneShotSubject
from support.require import require
from support.sentence_models import SentenceReference, minilm_folder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    return Encoders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="session")
def reference() -> SentenceReference:
    require("torch")
    return SentenceReference(minilm_folder())


_MODELS = [pytest.param(name, marks=pytest.mark.hf) for name in ("openvino", "transformers")]


@pytest.fixture(scope="module", params=["echo", *_MODELS])
def subject(request: pytest.FixtureRequest, encoders: Encoders) -> Iterator[OneShotSubject]:
    """Every engine."""
    yield from _loaded(request.param, encoders)


@pytest.fixture(scope="module", params=_MODELS)
def model(request: pytest.FixtureRequest, encoders: Encoders) -> Iterator[OneShotSubject]:
    """Every engine that runs a model, so that its numbers can be compared with the reference."""
    yield from _loaded(request.param, encoders)


def _loaded(name: str, encoders: Encoders) -> Iterator[OneShotSubject]:
    engine = ONE_SHOT_LOADERS[name](encoders, MINILM, Embedding())
    yield OneShotSubject(name, engine)
    engine.close()
