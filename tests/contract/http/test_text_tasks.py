"""Routes that find something in texts: their contracts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import RateLimited, UnsupportedTask
from podium.core.generation import TextPrompt
from podium.core.one_shot import WindowedPrompt
from podium.core.standing import Standing
from podium.protocols.tasks import MAX_INPUTS
from support.asgi import Answer, call
from support.http_doubles import FakeObserver, FakeTextTasks, fake_backend

TOKENS, ZERO_SHOT = "/v1/token-classification", "/v1/zero-shot-classification"
FILL, ANSWER = "/v1/fill-mask", "/v1/question-answering"
GOOD: dict[str, dict[str, Any]] = {
    TOKENS: {"input": ["Anna lives here", "Köln too"]},
    ZERO_SHOT: {"input": "a b", "candidate_labels": ["sport", "money"]},
    FILL: {"input": ["a [MASK] b [MASK]", "[MASK]"], "top_k": 2},
    ANSWER: {"question": "who?", "context": "Anna lives here", "top_k": 2},
}


def ask(path: str, tasks: FakeTextTasks | None = None, **members: Any) -> Answer:
    body = {**GOOD[path], **members}
    return call(create_app(fake_backend(text_tasks=tasks or FakeTextTasks())), "POST", path, body)


def data(answer: Answer, prefix: str) -> Any:
    assert answer.status == 200, answer.body
    body = answer.json
    assert body.pop("id").startswith(prefix)
    assert body.pop("created") > 1_700_000_000
    assert body.pop("model") == "demo"
    return body


def test_entities_have_their_group_their_place_and_the_words_as_they_stand_in_the_text() -> None:
    tasks = FakeTextTasks()
    body = data(ask(TOKENS, tasks), "tokens-")
    assert body["labels"] == ["O", "X"]
    entity = {"score": 0.75, "start": 0, "entity_group": "X"}
    assert body["data"] == [
        {"index": 0, "entities": [{**entity, "word": "Anna", "end": 4}]},
        {"index": 1, "entities": [{**entity, "word": "Köln", "end": 4}]},
    ]
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert tasks.asked == [("simple", frozenset({"O"}))]
    assert tasks.requests[0].inputs == (TextPrompt("Anna lives here"), TextPrompt("Köln too"))


def test_single_tokens_have_an_entity_instead() -> None:
    tasks = FakeTextTasks()
    body = data(ask(TOKENS, tasks, input="Anna", aggregation_strategy="none", ignore_labels=[]), "tokens-")
    (entity,) = body["data"][0]["entities"]
    assert entity == {"score": 0.75, "word": "Anna", "start": 0, "end": 4, "entity": "X"}
    assert tasks.asked == [("none", frozenset())]


def test_the_caller_s_labels_come_by_how_well_they_fit() -> None:
    tasks = FakeTextTasks()
    body = data(ask(ZERO_SHOT, tasks, hypothesis_template="It is {}.", multi_label=True), "zero-shot-")
    assert body["data"] == [{"index": 0, "labels": ["sport", "money"], "scores": [0.5, pytest.approx(1 / 3)]}]
    assert body["multi_label"] is True
    assert tasks.asked == [(("sport", "money"), "It is {}.", True)]


def test_each_mask_has_its_fillings() -> None:
    body = data(ask(FILL), "fill-mask-")
    fillings = [{"score": 0.5, "token": 7, "token_str": "w7"}, {"score": 0.25, "token": 6, "token_str": "w6"}]
    assert body["mask_token"] == "[MASK]"
    assert [one["masks"] for one in body["data"]] == [[fillings, fillings], [fillings]]


def test_answers_are_pieces_of_the_text_and_may_be_none() -> None:
    tasks = FakeTextTasks()
    body = data(ask(ANSWER, tasks, handle_impossible_answer=True, max_seq_len=64, doc_stride=9), "answer-")
    assert body["answers"] == [
        {"score": 0.5, "answer": "Anna", "start": 0, "end": 4},
        {"score": 0.25, "answer": "", "start": 0, "end": 0},
    ]
    assert body["windows"] == 2
    assert tasks.asked == [(2, 15, True)]
    assert tasks.requests[0].inputs == (WindowedPrompt("who?", "Anna lives here", 64, 9),)


@pytest.mark.parametrize(
    ("path", "members", "param"),
    [
        *(
            (path, {"input": given}, "input")
            for path in (TOKENS, ZERO_SHOT, FILL)
            for given in (None, "", [], [""], [1])
        ),
        *((path, {"input": ["a"] * (MAX_INPUTS + 1)}, "input") for path in (TOKENS, FILL)),
        (TOKENS, {"aggregation_strategy": "best"}, "aggregation_strategy"),
        (TOKENS, {"ignore_labels": "O"}, "ignore_labels"),
        (ZERO_SHOT, {"candidate_labels": []}, "candidate_labels"),
        (ZERO_SHOT, {"candidate_labels": "sport"}, "candidate_labels"),
        (ZERO_SHOT, {"candidate_labels": ["a", "a"]}, "candidate_labels"),
        (ZERO_SHOT, {"candidate_labels": [str(number) for number in range(257)]}, "candidate_labels"),
        (ZERO_SHOT, {"input": ["a"] * 1100}, "candidate_labels"),
        (ZERO_SHOT, {"multi_label": "yes"}, "multi_label"),
        (ZERO_SHOT, {"hypothesis_template": "{}" + "x" * 1023}, "hypothesis_template"),
        (FILL, {"top_k": 0}, "top_k"),
        (FILL, {"top_k": 101}, "top_k"),
        (ANSWER, {"question": ""}, "question"),
        (ANSWER, {"context": None}, "context"),
        (ANSWER, {"context": ["a"]}, "context"),
        (ANSWER, {"max_answer_len": 0}, "max_answer_len"),
        (ANSWER, {"doc_stride": -1}, "doc_stride"),
        (ANSWER, {"max_seq_len": 8}, "max_seq_len"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(path: str, members: dict[str, Any], param: str) -> None:
    tasks = FakeTextTasks()
    answer = ask(path, tasks, **members)
    assert answer.status == 400
    assert answer.json["error"]["param"] == param
    assert not tasks.requests


@pytest.mark.parametrize("path", GOOD)
def test_errors_quotas_and_the_log_are_those_of_every_other_route(path: str) -> None:
    standing = Standing("tokens_per_minute", "key", 60, 12, 30.0, 60)
    tasks, observer = FakeTextTasks(), FakeObserver()
    tasks.standings = (standing,)
    app = create_app(fake_backend(text_tasks=tasks, observer=observer))
    assert call(app, "POST", path, GOOD[path]).headers["x-ratelimit-remaining-tokens"] == "12"
    (record,) = observer.records
    assert (record.route, record.model, record.engine, record.outcome) == (path, "demo", "fake", "ok")
    for failure, status in (
        (UnsupportedTask("This model's task is generate.", param="model"), 400),
        (RateLimited("Slow down.", retry_after_seconds=2.0, standings=(standing,)), 429),
    ):
        tasks.failure = failure
        refused = call(app, "POST", path, GOOD[path])
        assert (refused.status, refused.json["error"]["code"]) == (status, failure.code)
