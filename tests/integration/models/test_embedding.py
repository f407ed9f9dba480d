"""Embedding requests through models in worker processes of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.config.engine import RemoteEngine, VLLMEngine
from podium.config.models import Model
from podium.config.server import Server
from podium.core.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineCrashed,
    EngineError,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RateLimited,
    UnsupportedArchitecture,
    UnsupportedParameter,
    UnsupportedTask,
)
from podium.core.generation import GenerationRequest, SamplingParams, TextPrompt, TokensPrompt
from podium.core.identity import LOCAL, Principal
from podium.core.one_shot import Input, OneShotRequest
from podium.engine.handle import EngineHandle
from podium.engine.turns import Work
from podium.models.embedding import Embedder
from podium.models.one_shot import Computed, OneShots
from podium.models.registry import Models
from support.checkpoint_folders import ENCODER, write_checkpoint
from support.models import echo_model, embedding_model, serving
from support.on_loop import on_loop
from support.quotas import Notebook

LONG = "a text of many words, so that each of the first numbers counts something"
ACME = Principal("acme", "k1", frozenset({"infer"}), models=frozenset({"other"}))


def request(*inputs: str | tuple[int, ...], model: str = "minilm", **members: Any) -> OneShotRequest:
    prompts: tuple[Input, ...] = tuple(TextPrompt(one) if isinstance(one, str) else TokensPrompt(one) for one in inputs)
    return OneShotRequest(id="r", model=model, inputs=prompts, **members)


def embedder(models: Models, quotas: Notebook | None = None) -> Embedder:
    return Embedder(OneShots(models, quotas or Notebook(), default_timeout_seconds=0.0))


async def embed(
    models: Models, *inputs: str | tuple[int, ...], dimensions: int | None = None, **members: Any
) -> Computed:
    return await embedder(models).embed(request(*inputs, **members), dimensions=dimensions)


@on_loop
async def test_vectors_are_those_of_their_inputs_however_many_and_long_they_are() -> None:
    texts = [f"{'word ' * (number % 40)}{number}" for number in range(150)]
    async with serving(embedding_model("minilm")) as (models, _):
        together = await embed(models, *texts)
        alone = [await embed(models, text) for text in texts[::29]]
    assert together.vectors.shape == (150, 64)
    assert np.array_equal(together.vectors[::29], np.concatenate([one.vectors for one in alone]))
    assert np.allclose(np.linalg.norm(together.vectors, axis=1), 1.0)
    assert together.prompt_tokens == sum(len(text.encode()) for text in texts)
    assert (together.model, together.version, together.engine) == ("minilm", "1", "echo")


@on_loop
async def test_token_ids_are_used_as_they_are() -> None:
    async with serving(embedding_model("minilm")) as (models, _):
        text, tokens = await embed(models, "ab"), await embed(models, (97, 98))
        assert np.array_equal(text.vectors, tokens.vectors)
        with pytest.raises(InvalidRequest, match="vocabulary") as caught:
            await embed(models, (97,), (9999,))
    assert caught.value.param == "input.1"


@on_loop
async def test_an_input_that_is_too_long_is_refused_with_the_numbers_and_never_cut() -> None:
    async with serving(embedding_model("minilm", max_model_len=20)) as (models, _):
        assert (await embed(models, "x" * 20)).prompt_tokens == 20
        with pytest.raises(
            ContextLengthExceeded, match=r"`input\.1` has 21 tokens; this model's context is 20"
        ) as caught:
            await embed(models, "short", "x" * 21)
    assert caught.value.param == "input.1"


@on_loop
async def test_a_model_does_one_task_and_says_which() -> None:
    generation = GenerationRequest("g", "minilm", TextPrompt("hi"), SamplingParams(max_tokens=1))
    async with serving(embedding_model("minilm"), echo_model("writer")) as (models, dispatcher):
        with pytest.raises(UnsupportedTask, match="task is generate, not embed") as caught:
            await embed(models, "hi", model="writer")
        assert caught.value.code == "unsupported_task"
        with pytest.raises(UnsupportedTask, match="task is embed, not generate"):
            await dispatcher.generate(generation)
        assert [served.in_use for served in models._served.values()] == [0, 0]


@on_loop
async def test_a_model_that_is_not_the_caller_s_does_not_exist() -> None:
    async with serving(embedding_model("minilm")) as (models, _):
        for unknown in (request("a", caller=ACME), request("a", model="nope")):
            with pytest.raises(ModelNotFound):
                await embedder(models).embed(unknown)


@on_loop
async def test_fewer_dimensions_are_given_where_the_configuration_allows_them() -> None:
    async with serving(embedding_model("minilm"), embedding_model("matryoshka", embedding={"truncatable": True})) as (
        models,
        _,
    ):
        with pytest.raises(UnsupportedParameter, match="64 dimensions") as caught:
            await embed(models, "a", dimensions=8)
        assert caught.value.param == "dimensions"
        assert (await embed(models, "a", dimensions=64)).vectors.shape == (1, 64)
        cut = await embed(models, LONG, dimensions=8, model="matryoshka")
        whole = await embed(models, LONG, model="matryoshka")
        with pytest.raises(InvalidRequest, match="1 to 64"):
            await embed(models, "a", dimensions=65, model="matryoshka")
    expected = whole.vectors[:, :8] / np.linalg.norm(whole.vectors[:, :8])
    assert np.allclose(cut.vectors, expected)


@on_loop
async def test_without_normalisation_vectors_keep_their_length() -> None:
    async with serving(embedding_model("minilm", embedding={"normalize": False})) as (models, _):
        assert (await embed(models, "abc")).vectors.sum() == 3.0


@on_loop
async def test_prompt_tokens_are_reserved_and_settled_and_nothing_else() -> None:
    quotas = Notebook(counting=True)
    async with serving(embedding_model("minilm"), quotas=quotas) as (models, _):
        await embedder(models, quotas).embed(request("four", "seven77"))
        quotas.refused.add(LOCAL.key_id)
        with pytest.raises(RateLimited):
            await embedder(models, quotas).embed(request("four"))
    (entry,) = quotas.entries
    assert (entry.kind, entry.prompt_tokens, entry.output_tokens, entry.settled) == ("computed", 11, 0, [(11, 0)])


@on_loop
@pytest.mark.parametrize("counting", [True, False])
async def test_who_has_no_room_is_refused_before_anything_is_read(
    counting: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokenizing a large body costs a second of a processor: it is not done for who is refused anyway."""
    read: list[object] = []
    quotas = Notebook(counting=bool(counting), refused={LOCAL.key_id})
    server = Server(max_queue=0, heartbeat_seconds=0.1)
    async with serving(embedding_model("minilm"), echo_model("writer"), quotas=quotas, server=server) as (
        models,
        dispatcher,
    ):
        monkeypatch.setattr(EngineHandle, "tokenize_inputs", lambda *_args, **_options: read.append(1))
        monkeypatch.setattr(EngineHandle, "tokenize", lambda *_args, **_options: read.append(1))
        with pytest.raises(RateLimited):
            await embedder(models, quotas).embed(request("a"))
        with pytest.raises(RateLimited):
            await dispatcher.generate(GenerationRequest("g", "writer", TextPrompt("a"), SamplingParams(max_tokens=1)))
        quotas.refused.clear()
        _, gate, _ = models.find("minilm").use()
        held = [await gate.acquire(Work(1, "other")) for _ in range(gate.permits)]
        with pytest.raises(Overloaded):
            await embedder(models, quotas).embed(request("a"))
        for permit in held:
            permit.release(1)
        models.find("minilm").release()
    assert not read
    assert not quotas.entries


@on_loop
async def test_a_failure_charges_nothing_and_leaves_nothing_held() -> None:
    quotas = Notebook(counting=True)
    async with serving(embedding_model("minilm")) as (models, _):
        failing = embedder(models, quotas)
        for text, kind in (("fault:error", EngineError), ("fault:nan", EngineError)):
            with pytest.raises(kind):
                await failing.embed(request(text))
        (served,) = models._served.values()
        assert served.in_use == 0
        assert served._gate is not None
        assert served._gate.running == 0
        assert await failing.embed(request("fine"))
    assert [entry.settled for entry in quotas.entries] == [[(0, 0)], [(0, 0)], [(4, 0)]]


@on_loop
async def test_a_crash_harms_the_one_who_caused_it_and_the_model_comes_back() -> None:
    async with serving(embedding_model("minilm")) as (models, _):
        with pytest.raises(EngineCrashed):
            await embed(models, "fault:crash")
        assert (await embed(models, "fine")).vectors.shape == (1, 64)


@on_loop
async def test_a_deadline_takes_the_request_out_of_the_batch() -> None:
    slow = {"token_interval_seconds": 0.2}
    async with serving(embedding_model("minilm", engine=slow, batching={"max_inputs": 1})) as (models, _):
        with pytest.raises(DeadlineExceeded):
            await embed(models, *["x"] * 50, timeout_seconds=0.3)
        (served,) = models._served.values()
        assert served._handle is not None
        assert served._handle.in_flight == 0
        assert served._gate is not None
        assert served._gate.running == 0


@on_loop
async def test_calls_of_many_inputs_take_turns_with_others() -> None:
    """One call never has more in the worker than a batch, so a small one is done long before a large one."""
    pace = {"token_interval_seconds": 0.02}
    model = embedding_model("minilm", engine=pace, batching={"max_inputs": 4})
    async with serving(model) as (models, _), asyncio.TaskGroup() as group:
        large = group.create_task(embed(models, *["x"] * 200), name="large")
        await embed(models, "y")
        assert not large.done()
        await large
    assert large.result().vectors.shape == (200, 64)


@on_loop
async def test_requests_at_the_same_time_share_batches() -> None:
    pace = {"token_interval_seconds": 0.05}
    async with serving(embedding_model("minilm", engine=pace)) as (models, _):
        (served,) = models._served.values()
        assert served._handle is not None
        before = served._handle.counters.steps
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(embed(models, f"text {number}"), name=f"embed {number}")
        assert served._handle.counters.steps - before <= 4


@pytest.mark.parametrize(
    "engine", [VLLMEngine(), RemoteEngine(base_url="http://127.0.0.1:9/v1")], ids=lambda engine: engine.kind
)
@on_loop
async def test_an_engine_that_only_generates_is_refused_at_load(
    engine: VLLMEngine | RemoteEngine, tmp_path: Path
) -> None:
    source = str(write_checkpoint(tmp_path / "bert", ENCODER))
    model = Model(name="minilm", source=source, task="embed", engine=engine, load="manual")
    async with serving(model, roots=(tmp_path,)) as (models, _):
        with pytest.raises(UnsupportedArchitecture, match="generates text only"):
            await models.load("minilm")
