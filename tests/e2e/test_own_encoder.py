"""Encoders from their folders: a checkpoint of sentence-transformers to vectors, classifiers to labels and ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.config.engine import AutoEngine, Engine, TransformersEngine
from podium.config.models import Model
from podium.core.errors import ContextLengthExceeded
from podium.core.generation import TextPrompt
from podium.core.one_shot import OneShotRequest
from podium.models.embedding import Embedder
from podium.models.one_shot import OneShots
from podium.testing.server_process import server_process
from support.deadline import until
from support.models import serving
from support.on_loop import on_loop
from support.quotas import Notebook
from support.sentence_models import SentenceReference, minilm_folder

ENGINES = [AutoEngine(), TransformersEngine(device="cpu", threads=1)]
TEXTS = ("The sea was calm.", "The ocean was quiet that day.", "A report on the price of copper")


@pytest.mark.hf
@pytest.mark.parametrize(
    "engine", [AutoEngine(), TransformersEngine(device="cpu", threads=1)], ids=lambda one: one.kind
)
@on_loop
async def test_a_folder_is_recognised_converted_once_and_served_with_the_reference_s_numbers(engine: Engine) -> None:
    folder = minilm_folder()
    model = Model(name="minilm", source=str(folder), engine=engine)
    request = OneShotRequest("r", "minilm", tuple(map(TextPrompt, TEXTS)))
    too_long = OneShotRequest("r", "minilm", (TextPrompt("word " * 300),))
    async with serving(model, roots=(folder,)) as (models, _):
        embedder = Embedder(OneShots(models, Notebook(), default_timeout_seconds=0.0))
        embedded = await embedder.embed(request)
        with pytest.raises(ContextLengthExceeded, match=r"`input\.0` has 302 tokens; this model's context is 256"):
            await embedder.embed(too_long)
    reference = SentenceReference(folder)
    expected = reference.embed([reference.token_ids(text) for text in TEXTS], "mean", normalize=True)
    assert np.abs(embedded.vectors - expected).max() < 1e-3
    assert (embedded.vectors * expected).sum(axis=1).min() >= 0.9999  # cosines: both have length 1
    assert embedded.prompt_tokens == sum(len(reference.token_ids(text)) for text in TEXTS)


@pytest.mark.hf
def test_classifiers_are_recognised_converted_and_served_with_the_reference_s_numbers(tmp_path: Path) -> None:
    import transformers  # noqa: PLC0415

    import models_factory  # noqa: PLC0415

    folders = {name: models_factory.make_classifier(tmp_path / name, name) for name in ("moods", "relevance")}
    models = [{"name": name, "source": str(folder)} for name, folder in folders.items()]
    with server_process(*models, server={"cache_dir": str(tmp_path / "cache")}) as server:
        until("both models are ready", lambda: server.probe("readyz").status_code == 200)
        moods = server.post("/v1/classify", {"model": "moods", "input": list(TEXTS)}).json()
        ranks = server.post("/v1/rerank", {"model": "relevance", "query": "the sea", "documents": list(TEXTS)}).json()
        wrong = server.post("/v1/rerank", {"model": "moods", "query": "the sea", "documents": list(TEXTS)})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "unsupported_task")
    pipeline: Any = transformers.pipeline("text-classification", str(folders["moods"]), device="cpu", top_k=None)
    for text, row in zip(TEXTS, moods["data"], strict=True):
        expected = {one["label"]: one["score"] for one in pipeline({"text": text})}
        assert dict(zip(moods["labels"], row["probs"], strict=True)) == pytest.approx(expected, abs=1e-3)
        assert row["label"] == max(expected, key=expected.__getitem__)
    pipeline = transformers.pipeline("text-classification", str(folders["relevance"]), device="cpu", top_k=None)
    scores = [pipeline({"text": "the sea", "text_pair": text})[0]["score"] for text in TEXTS]
    order = sorted(range(len(TEXTS)), key=lambda index: -scores[index])
    assert [result["index"] for result in ranks["results"]] == order
    assert [result["relevance_score"] for result in ranks["results"]] == pytest.approx(
        [scores[index] for index in order], abs=1e-3
    )
