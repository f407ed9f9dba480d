"""Classifying and reranking through models in worker processes of their own."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from podium.core.errors import ContextLengthExceeded, EngineError, UnsupportedTask
from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.identity import Principal
from podium.core.one_shot import Input, OneShotRequest, PairPrompt
from podium.models.classification import Classifier
from podium.models.embedding import Embedder
from podium.models.one_shot import OneShots
from podium.models.registry import Models
from support.models import echo_model, embedding_model, serving
from support.on_loop import on_loop
from support.quotas import Notebook

QUERY = "calm water"
DOCUMENTS = ("a calm water", "water", "something else entirely")


def request(model: str, *inputs: Input, param: str = "input") -> OneShotRequest:
    return OneShotRequest(id="r", model=model, inputs=inputs, param=param)


def ranking(*documents: str) -> OneShotRequest:
    return request("ranker", *(PairPrompt(QUERY, document) for document in documents), param="documents")


def one_shots(models: Models, quotas: Notebook | None = None) -> OneShots:
    return OneShots(models, quotas or Notebook(), default_timeout_seconds=0.0)


def classifier(models: Models, quotas: Notebook | None = None) -> Classifier:
    return Classifier(one_shots(models, quotas))


@on_loop
async def test_documents_that_share_more_with_the_query_are_more_relevant() -> None:
    async with serving(echo_model("ranker", task="rerank")) as (models, _):
        found = await classifier(models).rank(ranking(*DOCUMENTS))
        alone = [await classifier(models).rank(ranking(document)) for document in DOCUMENTS]
    assert found.labels == ("relevance",)
    assert found.probabilities[0, 0] > found.probabilities[1, 0] > found.probabilities[2, 0]
    assert np.allclose(found.probabilities, 1 / (1 + np.exp(-found.scores)))
    assert np.array_equal(found.scores, np.concatenate([one.scores for one in alone]))
    assert found.computed.prompt_tokens == sum(len((QUERY + document).encode()) for document in DOCUMENTS)


@on_loop
async def test_probabilities_are_in_the_order_of_the_labels_and_sum_to_one() -> None:
    """The echo engine's number for label k counts tokens with that remainder: two even bytes and one odd one here."""
    async with serving(echo_model("mood", task="classify")) as (models, _):
        found = await classifier(models).classify(request("mood", TextPrompt("bda"), TokensPrompt((1, 3))))
    assert found.labels == ("LABEL_0", "LABEL_1")
    assert found.scores.tolist() == [[2.0, 1.0], [0.0, 2.0]]
    assert np.allclose(found.probabilities.sum(axis=1), 1.0)
    assert found.probabilities[0, 0] == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(1)), rel=1e-6)


@on_loop
async def test_a_pair_that_is_too_long_together_is_refused_by_the_caller_s_own_name_for_it() -> None:
    async with serving(echo_model("ranker", task="rerank", max_model_len=20)) as (models, _):
        assert (await classifier(models).rank(ranking("x" * 10))).computed.prompt_tokens == 20
        with pytest.raises(ContextLengthExceeded, match=r"`documents\.1` has 21 tokens together with") as caught:
            await classifier(models).rank(ranking("short", "x" * 11))
    assert caught.value.param == "documents.1"


@on_loop
async def test_each_task_is_refused_by_models_of_the_others_with_what_to_use() -> None:
    pair = PairPrompt(QUERY, "d")
    configs = (echo_model("ranker", task="rerank"), echo_model("mood", task="classify"), embedding_model("minilm"))
    async with serving(*configs) as (models, _):
        for name, path in (("mood", "/v1/classify"), ("minilm", "/v1/embeddings")):
            with pytest.raises(UnsupportedTask, match=rf"not rerank.*{path}.*Models here that do: ranker\."):
                await classifier(models).rank(request(name, pair))
        narrow = Principal("acme", "k1", frozenset({"infer"}), models=frozenset({"minilm"}))
        with pytest.raises(UnsupportedTask, match="No model here does"):
            await classifier(models).rank(structs.replace(request("minilm", pair), caller=narrow))
        with pytest.raises(UnsupportedTask, match="not classify or rerank"):
            await classifier(models).classify(request("minilm", TextPrompt("a")))
        with pytest.raises(UnsupportedTask, match=r"task is rerank, not embed.*/v1/rerank"):
            await Embedder(one_shots(models)).embed(request("ranker", TextPrompt("a")))
        assert (await classifier(models).classify(request("ranker", pair))).labels == ("relevance",)


@on_loop
async def test_all_inputs_or_an_error_and_what_was_computed_is_charged() -> None:
    quotas = Notebook(counting=True)
    async with serving(echo_model("ranker", task="rerank"), quotas=quotas) as (models, _):
        ranker = classifier(models, quotas)
        with pytest.raises(EngineError):
            await ranker.rank(ranking("fine", "fault:error"))
        await ranker.rank(ranking("fine"))
    failed, passed = quotas.entries
    assert (failed.prompt_tokens, failed.settled) == (35, [(0, 0)])
    assert (passed.prompt_tokens, passed.settled) == (14, [(14, 0)])
