"""What holds for the vectors of every one-shot engine."""

from __future__ import annotations

import numpy as np
import pytest

from podium.config.models import Embedding
from podium.core.one_shot import InputIds, Vectors
from podium.engine.one_shot import Pooling
from support.one_shot_subjects import ONE_SHOT_LOADERS, Encoders, OneShotSubject
from support.sentence_models import SentenceReference

SHORT, LONG = tuple(range(101, 106)), tuple(200 + number % 50 for number in range(150))
BATCH = [SHORT, LONG, tuple(range(150, 163)), (7,)]


def ids(*inputs: tuple[int, ...]) -> list[InputIds]:
    return list(map(InputIds, inputs))


def cosines(first: Vectors, second: Vectors) -> Vectors:
    found: Vectors = (first * second).sum(axis=1) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))
    return found


def test_the_facts_tell_task_and_shape(subject: OneShotSubject) -> None:
    facts = subject.engine.facts
    assert (facts.task, facts.engine, facts.max_model_len) == ("embed", subject.name, 200)
    assert subject.engine.compute(ids(SHORT)).shape == (1, facts.dimensions)


def test_rows_are_float32_of_length_one_in_the_order_of_the_batch(subject: OneShotSubject) -> None:
    vectors = subject.engine.compute(ids(*BATCH))
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    turned = subject.engine.compute(ids(*BATCH[::-1]))
    assert np.allclose(vectors, turned[::-1], atol=1e-5)


def test_the_company_in_a_batch_changes_nothing(subject: OneShotSubject) -> None:
    """Padding to the longest of the batch is masked away."""
    together = subject.engine.compute(ids(*BATCH))
    alone = np.concatenate([subject.engine.compute(ids(token_ids)) for token_ids in BATCH])
    assert np.allclose(together, alone, atol=1e-4)


def test_the_whole_context_is_computed(subject: OneShotSubject) -> None:
    """A token at the very end counts."""
    ends = [tuple([300] * 199 + [last]) for last in (310, 320)]
    first, second = subject.engine.compute(ids(*[tuple(token % 250 for token in end) for end in ends]))
    assert not np.allclose(first, second, atol=1e-4)


TEXTS = [
    "The sea was calm.",
    "The ocean was quiet that day.",
    "A quarterly report on the price of copper",
    "Grüße aus Köln: naïve café, 東京",
    "word " * 120,
]


def test_a_real_model_gives_the_numbers_of_the_reference(model: OneShotSubject, reference: SentenceReference) -> None:
    batch = [reference.token_ids(text) for text in TEXTS]
    vectors = model.engine.compute(ids(*batch))
    expected = reference.embed(batch, "mean", normalize=True)
    assert np.abs(vectors - expected).max() < 1e-3
    assert cosines(vectors, expected).min() >= 0.9999
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.6
    assert far < 0.2


@pytest.mark.hf
@pytest.mark.parametrize("name", ["openvino", "transformers"])
@pytest.mark.parametrize(
    ("shape", "pooling", "normalize"),
    [("bert", "cls", False), ("xlm-roberta", "last", True), ("mpnet", "mean", False), ("distilbert", "last", False)],
)
def test_architectures_and_poolings_give_the_numbers_of_the_reference(
    encoders: Encoders,
    name: str,
    shape: str,
    pooling: Pooling,
    normalize: bool,  # noqa: FBT001
) -> None:
    batch = [tuple(token % 500 + 3 for token in token_ids) for token_ids in BATCH]
    engine = ONE_SHOT_LOADERS[name](encoders, shape, Embedding(pooling=pooling, normalize=normalize))
    vectors = engine.compute(ids(*batch))
    engine.close()
    expected = SentenceReference(encoders.torch(shape)).embed(batch, pooling, normalize=normalize)
    assert np.abs(vectors - expected).max() < 1e-3
