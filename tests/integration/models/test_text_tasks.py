"""Entities, labels, fillings and answers through models in worker processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from podium.core.errors import ContextLengthExceeded, InvalidRequest, MemoryBudgetExceeded, UnsupportedTask
from podium.core.generation import TextPrompt
from podium.core.one_shot import OneShotRequest, OneShotTask, PairPrompt, WindowedPrompt
from podium.models.classification import Classifier
from podium.models.fill_mask import MaskFiller
from podium.models.one_shot import OneShots
from podium.models.question_answering import Answered, QuestionAnswerer
from podium.models.registry import Models
from podium.models.runnable import WORKER_OVERHEAD_BYTES
from podium.models.token_classification import TokenClassifier
from podium.models.zero_shot import ZeroShotClassifier
from support.deadline import soon
from support.models import echo_model, serving
from support.on_loop import on_loop
from support.quotas import Notebook

TASKS: tuple[OneShotTask, ...] = ("token_classification", "zero_shot", "fill_mask", "question_answering")


def one_shots(models: Models, quotas: Notebook | None = None) -> OneShots:
    return OneShots(models, quotas or Notebook(), default_timeout_seconds=0.0)


def texts(model: str, *inputs: str) -> OneShotRequest:
    return OneShotRequest("r", model, tuple(map(TextPrompt, inputs)))


async def answer(models: Models, context: str, *, question: str = "who?", top_k: int = 1, stride: int = 0) -> Answered:
    request = OneShotRequest("r", "reader", (WindowedPrompt(question, context, 40, stride),), param="context")
    return await QuestionAnswerer(one_shots(models)).answer(request, top_k=top_k, most_tokens=15, allow_none=False)


@on_loop
async def test_tokens_become_entities_with_their_places_however_many_texts_share_a_batch() -> None:
    """The echo engine says LABEL_1 of odd bytes: a is one, b is not."""
    async with serving(echo_model("names", task="token_classification")) as (models, _):
        asked = texts("names", "aabba", "b" * 40, "ba")
        tagged = await TokenClassifier(one_shots(models)).tag(asked, "simple", frozenset({"LABEL_0"}))
    assert [[(one.label, one.start, one.end) for one in found] for found in tagged.entities] == [
        [("LABEL_1", 0, 2), ("LABEL_1", 4, 5)],
        [],
        [("LABEL_1", 1, 2)],
    ]
    assert tagged.labels == ("LABEL_0", "LABEL_1")
    assert tagged.computed.prompt_tokens == 47


@on_loop
async def test_labels_that_share_more_with_the_text_fit_better() -> None:
    async with serving(echo_model("nli", task="zero_shot")) as (models, _):
        classifier = ZeroShotClassifier(one_shots(models))
        one = await classifier.label(texts("nli", "calm water"), ["xyz", "calm water"], "{}", multi_label=False)
        several = await classifier.label(texts("nli", "calm water"), ["xyz", "calm"], "{}", multi_label=True)
        for wrong in ("It is so.", "{}" * 500):
            with pytest.raises(InvalidRequest, match=r"must have \{\} once") as caught:
                await classifier.label(texts("nli", "a"), ["b" * 1000], wrong, multi_label=False)
            assert caught.value.param == "hypothesis_template"
    assert [label.label for label in one.labels[0]] == ["calm water", "xyz"]
    assert sum(label.score for label in one.labels[0]) == pytest.approx(1.0)
    assert several.labels[0][0].label == "calm"
    assert sum(label.score for label in several.labels[0]) < 1.0


@on_loop
async def test_masks_are_filled_in_their_order_and_a_text_without_one_is_refused() -> None:
    async with serving(echo_model("masks", task="fill_mask")) as (models, _):
        filler = MaskFiller(one_shots(models))
        filled = await filler.fill(texts("masks", "a_c_", "k_"), 3)
        with pytest.raises(InvalidRequest, match=r"`input\.1` has no mask; write _ where it is") as caught:
            await filler.fill(texts("masks", "a_", "b"), 3)
        with pytest.raises(InvalidRequest, match=r"have 2050 masks; 100 fillings of each .* are 205000") as many:
            await filler.fill(texts("masks", *["_" * 1025] * 2), 100)
    assert (caught.value.param, many.value.param) == ("input.1", "input")
    assert [[mask[0].text for mask in masks] for masks in filled.masks] == [["a", "c"], ["k"]]
    assert {one.text for one in filled.masks[1][0]} == {"j", "k", "l"}
    scores = [one.score for one in filled.masks[0][0]]
    assert scores == sorted(scores, reverse=True)


@on_loop
async def test_a_long_text_is_read_in_windows_and_answers_have_their_places_in_it() -> None:
    """Answers begin with upper case letters and end with full stops for the echo engine."""
    context = "x " * 50 + "Anna." + " y" * 50
    async with serving(echo_model("reader", task="question_answering")) as (models, _):
        found = await answer(models, context, stride=8)
        short = await answer(models, "Anna.")
        with pytest.raises(ContextLengthExceeded, match="leaves 0 for the text") as caught:
            await answer(models, "Anna.", question="w" * 40)
        with pytest.raises(InvalidRequest, match=r"has 4200 tokens: 2083 windows of 36, of which 34 overlap") as many:
            await answer(models, "x" * 4200, stride=34)
    assert (caught.value.param, many.value.param) == ("question", "context")
    assert [context[one.start : one.end] for one in found.answers] == ["Anna."]
    assert (found.windows, short.windows) == (8, 1)
    assert found.computed.prompt_tokens == 205 + 7 * 8 + 8 * len("who?")
    assert short.answers[0].score > found.answers[0].score * 0.5


@on_loop
async def test_a_text_that_pairs_share_counts_for_each_of_them() -> None:
    """A worker is sent all of it: a query of a megabyte with two thousand documents would be two gigabytes."""
    async with serving(echo_model("relevance", task="rerank")) as (models, _):
        pairs = tuple(PairPrompt("q" * 20_000, "d") for _ in range(1000))
        with pytest.raises(InvalidRequest, match=r"come to 20001000 characters") as caught:
            await Classifier(one_shots(models)).rank(OneShotRequest("r", "relevance", pairs, param="documents"))
    assert caught.value.param == "documents"


@on_loop
async def test_a_model_of_another_task_says_which_models_can() -> None:
    async with serving(*(echo_model(task, task=task) for task in TASKS)) as (models, _):
        calls: dict[str, Callable[[OneShotRequest], Awaitable[object]]] = {
            "token_classification": lambda one: TokenClassifier(one_shots(models)).tag(one, "simple", frozenset()),
            "zero_shot": lambda one: ZeroShotClassifier(one_shots(models)).label(one, ["a"], "{}", multi_label=False),
            "fill_mask": lambda one: MaskFiller(one_shots(models)).fill(one, 1),
            "question_answering": lambda one: QuestionAnswerer(one_shots(models)).answer(
                one, top_k=1, most_tokens=1, allow_none=False
            ),
        }
        for task, call in calls.items():
            other = next(one for one in TASKS if one != task)
            with pytest.raises(UnsupportedTask, match=rf"task is {other}, not {task}\..*Models here that do: {task}\."):
                await call(texts(other, "a_"))


@on_loop
async def test_five_tasks_share_one_memory_budget_and_a_sixth_model_is_told_what_is_in_use() -> None:
    tasks: tuple[OneShotTask, ...] = (*TASKS, "embed")
    slow = {"token_interval_seconds": 0.3}
    models_ = [echo_model(task, task=task, engine=slow) for task in tasks]
    budget = int(5.5 * WORKER_OVERHEAD_BYTES)
    async with serving(*models_, echo_model("sixth", load="manual"), budget_bytes=budget) as (models, _):
        assert [status.state for status in models.list()] == ["ready"] * 5 + ["unloaded"]
        assert sum(status.memory_bytes or 0 for status in models.list()) <= budget
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(one_shots(models).compute(texts(task, "ab_"), task), name=task) for task in tasks
            ]
            await soon("all are in use", lambda: sum(served.in_use for served in models._served.values()) == 5)
            with pytest.raises(MemoryBudgetExceeded, match=r"needs about 300 MiB; \d+ MiB of the budget of 1650 MiB"):
                await models.load("sixth")
        assert all(task.result().vectors.size for task in asked)
        await models.load("sixth")
        assert sorted(status.state for status in models.list()) == ["ready"] * 5 + ["unloaded"]


@pytest.mark.parametrize("task", [*TASKS, "embed", "classify", "rerank"])
@on_loop
async def test_a_request_that_is_given_up_leaves_the_batch_whatever_its_task(task: OneShotTask) -> None:
    """Of 40 inputs in batches of one only those are computed that were on their way."""
    quotas = Notebook(counting=True)
    pace = {"token_interval_seconds": 0.1}
    model = echo_model("m", task=task, engine=pace, batching={"max_inputs": 1})
    async with serving(model, quotas=quotas) as (models, _):
        asked = texts("m", *["ab_"] * 40)
        waiting = asyncio.ensure_future(one_shots(models, quotas).compute(asked, task))
        (served,) = models._served.values()
        handle, gate = served._handle, served._gate
        assert handle is not None
        assert gate is not None
        steps = handle.counters.steps
        await soon("the second batch is computed", lambda: handle.counters.steps > steps + 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await soon("nothing is in flight", lambda: handle.in_flight == 0 and gate.running == 0)
        assert handle.counters.steps - steps < 10
    (entry,) = quotas.entries
    ((charged, _),) = entry.settled
    assert 0 < charged < 40 * 3
