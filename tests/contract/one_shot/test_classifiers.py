"""Classifiers of every engine that runs a model give the numbers of transformers' own pipeline."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.core.one_shot import InputIds
from podium.engine.one_shot import OneShotEngine
from podium.engine.tokenizer import Tokenizer
from podium.models.classification import probabilities_of
from support.one_shot_subjects import CLASSIFIER_LOADERS, Encoders

PAIRS = [
    ("The sea was calm.", "The ocean was quiet that day."),
    ("The sea was calm.", "A quarterly report on the price of copper " * 6),
    ("a", "b"),
]


def inputs(folder: Path, *, pairs: bool) -> list[InputIds]:
    tokenizer = Tokenizer.from_folder(folder)
    if pairs:
        return [tokenizer.encode_pair(first, second).ids for first, second in PAIRS]
    return [InputIds(tuple(tokenizer.encode(first))) for first, _ in PAIRS]


def pipeline_probabilities(folder: Path, labels: tuple[str, ...], *, pairs: bool) -> list[list[float]]:
    """One text at a time, and so without padding."""
    import transformers  # noqa: PLC0415

    texts = [{"text": first, "text_pair": second} if pairs else {"text": first} for first, second in PAIRS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline: Any = transformers.pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
        found = [{one["label"]: one["score"] for one in pipeline(text)} for text in texts]
    return [[row[label] for label in labels] for row in found]


def classifier(encoders: Encoders, engine: str, name: str) -> OneShotEngine:
    return CLASSIFIER_LOADERS[engine](encoders, name)


@pytest.mark.hf
@pytest.mark.parametrize("engine", ["openvino", "transformers"])
@pytest.mark.parametrize(("name", "pairs"), [("moods", False), ("moods", True), ("topics", False), ("relevance", True)])
def test_probabilities_are_those_of_the_reference_also_in_a_padded_batch(
    encoders: Encoders,
    engine: str,
    name: str,
    pairs: bool,  # noqa: FBT001
) -> None:
    folder = encoders.torch_classifier(name)
    loaded = classifier(encoders, engine, name)
    facts = loaded.facts
    batch = inputs(folder, pairs=pairs)
    probabilities = probabilities_of(loaded.compute(batch), facts)
    loaded.close()
    names = ("LABEL_0",) if name == "relevance" else facts.labels
    expected = np.array(pipeline_probabilities(folder, names, pairs=pairs))
    assert np.abs(probabilities - expected).max() < 1e-3
    assert (probabilities.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.ptp(expected, axis=0).max() > 0.01, "the inputs should differ, or nothing is compared"


@pytest.mark.hf
@pytest.mark.parametrize("engine", ["openvino", "transformers"])
def test_the_facts_tell_the_task_and_the_labels(encoders: Encoders, engine: str) -> None:
    for name, task, labels, multi_label in (
        ("moods", "classify", ("sad", "calm", "glad"), False),
        ("topics", "classify", ("sea", "land", "sky", "money"), True),
        ("relevance", "rerank", ("relevance",), False),
    ):
        loaded = classifier(encoders, engine, name)
        facts = loaded.facts
        loaded.close()
        assert (facts.task, facts.labels, facts.multi_label, facts.dimensions) == (
            task,
            labels,
            multi_label,
            len(labels),
        )


@pytest.mark.hf
@pytest.mark.parametrize("engine", ["openvino", "transformers"])
def test_the_second_text_of_a_pair_is_told_apart_where_the_model_does(encoders: Encoders, engine: str) -> None:
    loaded = classifier(encoders, engine, "moods")
    (pair,) = inputs(encoders.torch_classifier("moods"), pairs=True)[:1]
    apart, together = loaded.compute([pair]), loaded.compute([pair._replace(second_from=0)])
    loaded.close()
    assert np.abs(apart - together).max() > 1e-3
