"""``/v1/rerank`` and ``/v1/classify``: their contracts, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import ContextLengthExceeded, RateLimited, UnsupportedTask
from podium.core.generation import TextPrompt
from podium.core.one_shot import PairPrompt
from podium.core.standing import Standing
from podium.protocols.tasks import MAX_INPUTS
from support.asgi import Answer, call
from support.http_doubles import FakeClassifier, FakeObserver, fake_backend

DOCUMENTS = ["short", "the longest of the three", "in between"]


def ask(path: str, classifier: FakeClassifier | None = None, **body: Any) -> Answer:
    return call(create_app(fake_backend(classifier=classifier or FakeClassifier())), "POST", path, body)


def rerank(classifier: FakeClassifier | None = None, path: str = "/v1/rerank", **body: Any) -> Answer:
    return ask(path, classifier, **{"query": "q", "documents": DOCUMENTS, **body})


def classify(classifier: FakeClassifier | None = None, path: str = "/v1/classify", **body: Any) -> Answer:
    return ask(path, classifier, **{"input": "a b", **body})


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_documents_come_by_relevance_with_their_place_in_the_request(path: str) -> None:
    answer = rerank(path=path, model="demo")
    assert answer.status == 200
    assert answer.json["id"].startswith("rerank-")
    assert answer.json["model"] == "demo"
    assert answer.json["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    assert [result["index"] for result in answer.json["results"]] == [1, 2, 0]
    assert all(result.keys() == {"index", "relevance_score"} for result in answer.json["results"])
    scores = [result["relevance_score"] for result in answer.json["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)


def test_each_document_is_read_together_with_the_query() -> None:
    classifier = FakeClassifier()
    rerank(classifier, documents=["a", {"text": "b", "title": "ignored"}], timeout_seconds=3, priority=4)
    (request,) = classifier.requests
    assert request.inputs == (PairPrompt("q", "a"), PairPrompt("q", "b"))
    assert (request.param, request.timeout_seconds, request.priority) == ("documents", 3.0, 4)


def test_only_the_best_are_given_and_with_their_text_where_that_is_asked_for() -> None:
    results = rerank(top_n=1, return_documents=True).json["results"]
    assert [(result["index"], result["document"]) for result in results] == [(1, {"text": DOCUMENTS[1]})]
    assert len(rerank(top_n=9).json["results"]) == 3


def test_raw_scores_are_the_model_s_own_numbers_and_equals_keep_their_order() -> None:
    results = rerank(documents=["bb", "aa", "c"], raw_scores=True).json["results"]
    assert [(result["index"], result["relevance_score"]) for result in results] == [(0, 0.25), (1, 0.25), (2, 0.125)]


def test_what_differs_beyond_the_sigmoid_s_precision_is_still_ranked() -> None:
    results = rerank(documents=["x" * 400, "x" * 800]).json["results"]
    assert [result["index"] for result in results] == [1, 0]
    assert results[0]["relevance_score"] == results[1]["relevance_score"] == 1.0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"query": None}, "query"),
        ({"query": ""}, "query"),
        ({"query": ["q"]}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "d"}, "documents"),
        ({"documents": ["a", ""]}, "documents"),
        ({"documents": [{"title": "t"}]}, "documents"),
        ({"documents": ["a"] * (MAX_INPUTS + 1)}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": "1"}, "top_n"),
        ({"raw_scores": "yes"}, "raw_scores"),
    ],
)
def test_a_ranking_that_makes_no_sense_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    classifier = FakeClassifier()
    answer = rerank(classifier, **body)
    assert answer.status == 400
    assert answer.json["error"]["param"] == param
    assert not classifier.requests


@pytest.mark.parametrize("path", ["/v1/classify", "/classify"])
def test_each_input_has_its_likeliest_label_and_the_probability_of_all(path: str) -> None:
    answer = classify(path=path, input=["a b c", "a"], model="demo")
    assert answer.status == 200
    body = answer.json
    assert body.pop("created") > 1_700_000_000
    assert body.pop("id").startswith("classify-")
    assert body == {
        "object": "list",
        "model": "demo",
        "labels": ["few", "many"],
        "multi_label": False,
        "data": [
            {"index": 0, "label": "many", "probs": [pytest.approx(0.25), pytest.approx(0.75)], "num_classes": 2},
            {"index": 1, "label": "few", "probs": [pytest.approx(0.75), pytest.approx(0.25)], "num_classes": 2},
        ],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", (TextPrompt("a"),)),
        (["a", "b"], (TextPrompt("a"), TextPrompt("b"))),
        (["a", ["b", "c"]], (TextPrompt("a"), PairPrompt("b", "c"))),
    ],
    ids=["text", "texts", "pairs"],
)
def test_texts_and_pairs_of_texts_are_understood(given: Any, inputs: tuple[object, ...]) -> None:
    classifier = FakeClassifier()
    assert classify(classifier, input=given).status == 200
    assert classifier.requests[0].inputs == inputs


@pytest.mark.parametrize("given", [None, "", [], [""], [["a"]], [["a", "b", "c"]], [["a", ""]], [1], {"text": "a"}])
def test_what_is_no_text_is_not_classified(given: Any) -> None:
    answer = classify(input=given)
    assert answer.status == 400
    assert answer.json["error"]["param"] == "input"


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/classify"])
def test_errors_quotas_and_the_log_are_those_of_every_other_route(path: str) -> None:
    standing = Standing("tokens_per_minute", "key", 60, 12, 30.0, 60)
    body = {"query": "q", "documents": ["d"]} if path == "/v1/rerank" else {"input": "a"}
    classifier, observer = FakeClassifier(), FakeObserver()
    classifier.standings = (standing,)
    app = create_app(fake_backend(classifier=classifier, observer=observer))
    assert call(app, "POST", path, body).headers["x-ratelimit-remaining-tokens"] == "12"
    (record,) = observer.records
    assert (record.route, record.model, record.engine, record.outcome) == (path, "demo", "fake", "ok")
    assert record.usage.prompt_tokens == 2 if path == "/v1/rerank" else 1
    for failure, status in (
        (ContextLengthExceeded("too long", param="documents.3"), 400),
        (UnsupportedTask("This model's task is generate, not rerank.", param="model"), 400),
        (RateLimited("Slow down.", retry_after_seconds=2.0, standings=(standing,)), 429),
    ):
        classifier.failure = failure
        refused = call(app, "POST", path, body)
        assert (refused.status, refused.json["error"]["code"]) == (status, failure.code)
