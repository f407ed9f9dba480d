"""Answers to questions that mean the same, through real workers: one model writes, one embeds."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from podium.cache.semantic_question import Question
from podium.config.cache import Cache, SemanticCache
from podium.config.models import Model
from podium.core.errors import Overloaded
from podium.core.generation import (
    CacheControl,
    ChatPrompt,
    Constraint,
    GenerationRequest,
    Message,
    SamplingParams,
    TextPrompt,
)
from podium.core.identity import Principal
from podium.core.one_shot import OneShotRequest
from podium.models.dispatch import Dispatcher
from podium.models.generation import Generation
from podium.models.registry import Models
from podium.models.semantic import SemanticAnswers
from support.models import echo_model, embedding_model, serving
from support.on_loop import on_loop
from support.quotas import Notebook

FIRST = "How do I move the configuration file to another folder?"
SIMILAR = "How do I move the configuration files to another folder?"
OTHER = "Why is the sea salt?"
GREEDY = SamplingParams(temperature=0.0, max_tokens=200)
ACME, BETA = (Principal(tenant, "k", frozenset({"infer"})) for tenant in ("acme", "beta"))


def asked(text: str, **others: Any) -> GenerationRequest:
    members = {"id": "r", "model": "writer", "prompt": chat(text), "sampling": GREEDY, "caller": ACME, **others}
    return GenerationRequest(**members)


def chat(text: str, system: str = "Be brief.", **others: Any) -> ChatPrompt:
    return ChatPrompt((Message("system", system), Message("user", text)), **others)


def settings(**semantic: Any) -> Cache:
    members = {"model": "minilm", "threshold": 0.9, "wait_seconds": 5.0, **semantic}
    return Cache(semantic=SemanticCache(**members))


async def identified(models: Models, *names: str) -> None:
    async with asyncio.timeout(10):
        while any(models.find(name).identity is None for name in names):  # noqa: ASYNC110 - a state without an event
            await asyncio.sleep(0.01)


async def finished(generation: Generation) -> str:
    return "".join([chunk.text async for chunk in generation])


async def answer(dispatcher: Dispatcher, request: GenerationRequest) -> tuple[str, str]:
    generation = await dispatcher.generate(request)
    return generation.cache_status, await finished(generation)


def remembered(dispatcher: Dispatcher) -> int:
    """Questions in the index."""
    semantic = dispatcher._sharing.semantic
    assert semantic is not None
    return len(semantic._index)


WRITERS = (
    echo_model("writer", tool_format="hermes"),
    echo_model("writer", version="2"),
    echo_model("other"),
)
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def models_with(**embedding: Any) -> tuple[Model, ...]:
    return (*WRITERS, embedding_model("minilm", **embedding))


@on_loop
async def test_a_similar_question_gets_the_kept_answer_and_says_how_similar_it_was() -> None:
    quotas = Notebook()
    async with serving(*models_with(), cache=settings(), quotas=quotas) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        status, text = await answer(dispatcher, asked(FIRST))
        assert status == "miss"
        generation = await dispatcher.generate(asked(SIMILAR))
        assert generation.cache_status == "semantic"
        assert 0.9 <= (generation.similarity or 0.0) < 1.0
        assert generation.age_seconds is not None
        assert await finished(generation) == text
        assert (await answer(dispatcher, asked(OTHER)))[0] == "miss"
    assert [entry.kind for entry in quotas.entries] == ["computed", "shared", "computed"]


@on_loop
async def test_the_very_same_question_is_an_exact_hit_first() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST))
        generation = await dispatcher.generate(asked(FIRST))
        assert (generation.cache_status, generation.similarity) == ("hit", None)
        await finished(generation)


ELSEWHERE: dict[str, dict[str, Any]] = {
    "another tenant": {"caller": BETA},
    "another model": {"model": "other"},
    "another version": {"model": "writer@2"},
    "another system prompt": {"prompt": chat(SIMILAR, "Be long.")},
    "another form of prompt": {"prompt": TextPrompt(SIMILAR)},
    "another temperature": {"sampling": SamplingParams(temperature=0.5, seed=1, max_tokens=200)},
    "another limit": {"sampling": SamplingParams(temperature=0.0, max_tokens=199)},
    "tools": {"prompt": chat(SIMILAR, tools=(LOOK,))},
    "log probabilities": {"sampling": SamplingParams(temperature=0.0, max_tokens=200, logprobs=1)},
    "no-cache": {"cache": CacheControl(read=False, write=False)},
    "an answer not older than nothing": {"cache": CacheControl(max_age_seconds=0.0, write=False)},
    "an idempotency key": {"idempotency_key": "k"},
}


@on_loop
async def test_no_answer_crosses_to_a_request_that_differs_in_more_than_its_last_words() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "writer@2", "other", "minilm")
        await answer(dispatcher, asked(FIRST))
        found = {name: (await answer(dispatcher, asked(SIMILAR, **change)))[0] for name, change in ELSEWHERE.items()}
        assert "semantic" not in found.values(), found
    assert set(found.values()) == {"miss", "bypass"}


@on_loop
async def test_structured_output_is_never_answered_by_meaning() -> None:
    """The echo engine refuses grammars, so that the question is looked at alone."""
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        constrained = SamplingParams(temperature=0.0, constraint=Constraint("json_schema", "{}"))
        terms = dispatcher._sharing.terms(asked(SIMILAR, sampling=constrained), models.find("writer").identity, 100)
        assert terms.content is not None
        assert terms.question is None


@on_loop
async def test_what_is_not_to_be_kept_is_not_remembered() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST, cache=CacheControl(write=False)))
        assert (await answer(dispatcher, asked(SIMILAR)))[0] == "miss"


@on_loop
async def test_an_answer_by_meaning_is_not_passed_on_by_meaning() -> None:
    """Else a chain of similar questions would lead anywhere."""
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST))
        await answer(dispatcher, asked(SIMILAR))
        assert remembered(dispatcher) == 1


@on_loop
async def test_answers_that_were_cleared_are_not_found_by_meaning_either() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST))
        assert await dispatcher._sharing.cache.clear() == 1  # type: ignore[attr-defined]
        assert (await answer(dispatcher, asked(SIMILAR)))[0] == "miss"
        assert remembered(dispatcher) == 1


@on_loop
async def test_an_answer_that_is_too_old_for_one_request_is_still_there_for_others() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST))
        fresh = CacheControl(max_age_seconds=0.0, write=False)
        assert (await answer(dispatcher, asked(SIMILAR, cache=fresh)))[0] == "miss"
        assert (await answer(dispatcher, asked(SIMILAR)))[0] == "semantic"


@on_loop
async def test_those_who_join_while_a_similar_answer_is_looked_for_get_it_too() -> None:
    async with serving(*models_with(), cache=settings()) as (models, dispatcher):
        await identified(models, "writer", "minilm")
        await answer(dispatcher, asked(FIRST))
        answers = await asyncio.gather(*(answer(dispatcher, asked(SIMILAR)) for _ in range(5)))
        assert {status for status, _ in answers} == {"semantic"}


AWAY: dict[str, tuple[dict[str, Any], str]] = {
    "not loaded": ({"load": "manual"}, ""),
    "slow": ({"engine": {"token_interval_seconds": 1.0}}, ""),
    "crashing": ({}, "fault:crash "),
    "failing": ({}, "fault:nan "),
    "made for shorter texts": ({"max_model_len": 20}, ""),
}


@pytest.mark.parametrize(("embedding", "fault"), AWAY.values(), ids=AWAY)
@on_loop
async def test_an_embedding_model_that_does_not_answer_in_time_means_a_miss(
    embedding: dict[str, Any], fault: str
) -> None:
    async with serving(*models_with(**embedding), cache=settings(wait_seconds=0.2)) as (models, dispatcher):
        await identified(models, "writer")
        async with asyncio.timeout(5):
            for text in (FIRST, SIMILAR):
                assert (await answer(dispatcher, asked(fault + text)))[0] == "miss"


@on_loop
async def test_a_model_that_embeds_nothing_means_misses() -> None:
    async with serving(*models_with(), cache=settings(model="other")) as (models, dispatcher):
        await identified(models, "writer")
        await answer(dispatcher, asked(FIRST))
        assert (await answer(dispatcher, asked(SIMILAR)))[0] == "miss"


@on_loop
async def test_the_embedding_waits_in_its_caller_s_class() -> None:
    """Else thousands of lines of a batch would have their questions embedded before those of callers."""
    classes: list[int] = []

    class Full:
        async def embed(self, request: OneShotRequest) -> Any:
            classes.append(request.caller.priority)
            raise Overloaded("Full.")

    answers: Any = None
    semantic = SemanticAnswers(SemanticCache(model="minilm", threshold=0.9), answers, Full())
    for caller in (ACME, msgspec.structs.replace(ACME, priority=-999_999)):
        assert await semantic.locate(Question(b"p", FIRST), caller) is None
    assert classes == [0, -999_999]
