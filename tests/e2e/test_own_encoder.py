"""A checkpoint of sentence-transformers, from its folder to vectors."""

from __future__ import annotations

import numpy as np
import pytest

from podium.config.engine import AutoEngine, Engine, TransformersEngine
from podium.config.models import Model
from podium.core.errors import ContextLengthExceeded
from podium.core.generation import TextPrompt
from podium.core.one_shot import EmbeddingRequest
from podium.models.embedding import Embedder
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
    request = EmbeddingRequest("r", "minilm", tuple(map(TextPrompt, TEXTS)))
    too_long = EmbeddingRequest("r", "minilm", (TextPrompt("word " * 300),))
    async with serving(model, roots=(folder,)) as (models, _):
        embedder = Embedder(models, Notebook(), default_timeout_seconds=0.0)
        embedded = await embedder.embed(request)
        with pytest.raises(ContextLengthExceeded, match="Input 0 has 302 tokens; this model's context is 256"):
            await embedder.embed(too_long)
    reference = SentenceReference(folder)
    expected = reference.embed([reference.token_ids(text) for text in TEXTS], "mean", normalize=True)
    assert np.abs(embedded.vectors - expected).max() < 1e-3
    assert embedded.prompt_tokens == sum(len(reference.token_ids(text)) for text in TEXTS)
