"""Hugging Face's released client against our server, one address for each model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import GenerationError, HfHubHTTPError, OverloadedError, ValidationError

from podium.api.app import create_app
from podium.api.backend import Backend
from podium.core.errors import EngineCrashed, Overloaded
from support.http_doubles import WORDS, FakeClassifier, FakeDispatcher, fake_backend, story
from support.http_server import RunningServer

TEXT = "".join(WORDS)
ALL = len(WORDS)
ADDRESS = "/hf/demo"


@pytest.fixture
def dispatcher() -> FakeDispatcher:
    return FakeDispatcher()


@pytest.fixture
def url(dispatcher: FakeDispatcher) -> Iterator[str]:
    backend: Backend = fake_backend(dispatcher=dispatcher, classifier=FakeClassifier(dispatcher.models))
    with RunningServer(create_app(backend)) as server:
        yield server.url + ADDRESS


@pytest.fixture
def client(url: str) -> Iterator[InferenceClient]:
    with InferenceClient(base_url=url) as opened:
        yield opened


def post(url: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(url + path, json=body, trust_env=False)


def test_text_is_generated_whole_and_streamed(client: InferenceClient, dispatcher: FakeDispatcher) -> None:
    assert client.text_generation("hi", max_new_tokens=ALL) == TEXT
    assert client.text_generation("hi ", max_new_tokens=ALL, return_full_text=True) == f"hi {TEXT}"
    assert "".join(client.text_generation("hi", max_new_tokens=ALL, stream=True)) == TEXT
    greedy, *_ = dispatcher.requests
    assert (greedy.sampling.temperature, greedy.model) == (0.0, "demo@1")
    client.text_generation("hi", temperature=0.5, top_k=3, seed=7, stop=["x"], repetition_penalty=1.5)
    drawn = dispatcher.requests[-1].sampling
    assert (drawn.temperature, drawn.top_k, drawn.seed, drawn.stop) == (0.5, 3, 7, ("x",))
    assert (drawn.repetition_penalty, drawn.max_tokens) == (1.5, 100)


def test_line_breaks_of_other_scripts_do_not_break_lines(client: InferenceClient, dispatcher: FakeDispatcher) -> None:
    """The client reads lines as ``str.splitlines`` does."""
    words = ("one\u2028", "two\x85", "three\u2029")
    dispatcher.script = lambda request: story(request, words)
    assert "".join(client.text_generation("hi", max_new_tokens=3, stream=True)) == "".join(words)


def test_details_tell_of_each_token(client: InferenceClient) -> None:
    whole = client.text_generation("hi", max_new_tokens=ALL, details=True, seed=7)
    assert whole.generated_text == TEXT
    assert whole.details is not None
    assert [token.text for token in whole.details.tokens] == list(WORDS)
    assert (whole.details.finish_reason, whole.details.generated_tokens, whole.details.seed) == ("length", ALL, 7)
    pieces = list(client.text_generation("hi", max_new_tokens=ALL, details=True, stream=True, top_n_tokens=2))
    assert [(piece.index, piece.token.id, piece.token.text) for piece in pieces] == [
        (number + 1, number, word) for number, word in enumerate(WORDS)
    ]
    assert pieces[0].token.logprob == pytest.approx(-0.1)
    assert [token.text for token in pieces[0].top_tokens or ()] == ["The", "~1"]
    *earlier, last = pieces
    assert {piece.generated_text for piece in earlier} == {None}
    assert (last.generated_text, last.details and last.details.finish_reason) == (TEXT, "length")


def test_an_end_of_text_and_a_stop_string_are_told_apart(client: InferenceClient, dispatcher: FakeDispatcher) -> None:
    for stop_reason, told in (("x", "stop_sequence"), (None, "eos_token")):

        def script(request: Any, reason: str | None = stop_reason) -> Any:
            *chunks, last = story(request, WORDS[:3])
            return [*chunks, msgspec.structs.replace(last, text="", stop_reason=reason, finish_reason="stop")]

        dispatcher.script = script
        *_, last = client.text_generation("hi", max_new_tokens=3, details=True, stream=True)
        assert last.details is not None
        assert (last.details.finish_reason, last.token.special) == (told, told == "eos_token")
        assert last.generated_text == "The sea"


def test_chats_are_read_whole_and_streamed(client: InferenceClient, url: str) -> None:
    turns = [{"role": "user", "content": "hi"}]
    whole = client.chat_completion(turns, max_tokens=ALL)
    assert whole.choices[0].message.content == TEXT
    pieces = client.chat.completions.create(messages=turns, max_tokens=ALL, stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == TEXT
    with (
        InferenceClient(base_url=url) as other,
        pytest.raises(HfHubHTTPError, match="another than that of the address"),
    ):
        other.chat_completion(turns, model="elsewhere")


def test_a_schema_reaches_the_engine_as_openai_s_client_would_send_it(
    client: InferenceClient, dispatcher: FakeDispatcher
) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    client.chat_completion([{"role": "user", "content": "hi"}], response_format=form)
    client.text_generation("hi", grammar={"type": "json", "value": schema})
    constraints = [request.sampling.constraint for request in dispatcher.requests]
    assert constraints[0] is not None
    assert constraints[0] == constraints[1]


def test_vectors_have_length_one(client: InferenceClient, dispatcher: FakeDispatcher, url: str) -> None:
    dispatcher.models.statuses[0].task = "embed"
    found = client.feature_extraction(["a", "b"], normalize=True)
    assert found.shape == (2, 3)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)
    assert client.feature_extraction("a").shape == (1, 3)
    assert post(url, "/embed", {"inputs": ["a", "b"]}).json() == found.tolist()
    cosines = client.sentence_similarity("a", other_sentences=["b", "c"])
    assert cosines[0] == pytest.approx(float(found[0] @ found[1]))
    with pytest.raises(HfHubHTTPError, match="normalize"):
        client.feature_extraction("a", normalize=False)


def test_labels_come_by_falling_score(client: InferenceClient, dispatcher: FakeDispatcher, url: str) -> None:
    dispatcher.models.statuses[0].task = "classify"
    best, worst = client.text_classification("one two three")
    assert (best.label, best.score, worst.label) == ("many", 0.75, "few")
    (only,) = client.text_classification("one", top_k=1, function_to_apply="none")
    assert (only.label, only.score) == ("few", 3.0)
    soft = client.text_classification("one", function_to_apply="softmax")
    assert sum(one.score for one in soft) == pytest.approx(1.0)
    assert post(url, "/predict", {"inputs": "one two three"}).json()[0] == {"score": 0.75, "label": "many"}
    rows = post(url, "/predict", {"inputs": [["one"], ["one", "two three four"]], "raw_scores": True}).json()
    assert [row[0]["score"] for row in rows] == [3.0, 3.0]
    assert [row[0]["label"] for row in rows] == ["few", "many"]


def test_texts_are_ranked(url: str, dispatcher: FakeDispatcher) -> None:
    dispatcher.models.statuses[0].task = "rerank"
    body = {"query": "a", "texts": ["b", "bbbb"], "return_text": True, "raw_scores": True}
    ranks = post(url, "/rerank", body).json()
    assert ranks == [{"index": 1, "score": 0.5, "text": "bbbb"}, {"index": 0, "score": 0.125, "text": "b"}]
    assert post(url, "", {"query": "a", "texts": ["b"]}).json()[0].keys() == {"index", "score"}


def test_an_address_tells_of_its_model(url: str, dispatcher: FakeDispatcher) -> None:
    client = InferenceClient(base_url=url, provider="hf-inference")  # its own condition for these two calls
    about = client.get_endpoint_info()
    assert (about["model_id"], about["model_pipeline_tag"]) == ("demo", "text-generation")
    assert client.health_check()
    dispatcher.models.statuses[0].state = "loading"
    assert not client.health_check()


def test_errors_are_the_client_s_own(client: InferenceClient, dispatcher: FakeDispatcher, url: str) -> None:
    with pytest.raises(ValidationError, match="truncate"):
        client.text_generation("hi", truncate=5)
    with pytest.raises(ValidationError, match="best_of"):
        client.text_generation("hi", best_of=2)
    dispatcher.script = lambda _: Overloaded("Full.", retry_after_seconds=1.0)
    with pytest.raises(OverloadedError, match="Full"):
        client.text_generation("hi")
    with pytest.raises(HfHubHTTPError, match="Full"):
        client.chat_completion([{"role": "user", "content": "hi"}])
    with InferenceClient(base_url=url.replace("demo", "nope")) as nowhere, pytest.raises(HfHubHTTPError) as caught:
        nowhere.text_generation("hi")
    assert caught.value.response.status_code == 404


def test_a_stream_that_breaks_raises_and_is_never_taken_for_whole(
    client: InferenceClient, dispatcher: FakeDispatcher
) -> None:
    dispatcher.script = lambda request: [*story(request)[:2], EngineCrashed("Gone.")]
    with pytest.raises(GenerationError, match="Gone"):
        list(client.text_generation("hi", stream=True))


def test_a_member_that_nobody_knows_is_named_wherever_it_stands(url: str) -> None:
    answer = post(url, "/generate", {"inputs": "hi", "extra": 1, "parameters": {"max_tokens": 3}})
    assert answer.headers["x-podium-ignored"] == "extra,parameters.max_tokens"


def test_what_is_found_in_texts_is_read(client: InferenceClient, dispatcher: FakeDispatcher) -> None:
    status = dispatcher.models.statuses[0]
    status.task = "token_classification"
    (entity,) = client.token_classification("Anna sings", aggregation_strategy="simple")
    assert (entity.entity_group, entity.word, entity.start, entity.end) == ("X", "Anna", 0, 4)
    status.task = "zero_shot"
    best, *_ = client.zero_shot_classification("Anna sings", ["music", "sport"], multi_label=True)
    assert best.label == "music"
    status.task = "fill_mask"
    filling, *_ = client.fill_mask("Anna [MASK].", top_k=2)
    assert filling.sequence == f"Anna {filling.token_str}."
    status.task = "question_answering"
    answer = client.question_answering(question="Who sings?", context="Anna sings")
    assert answer.answer == "Anna sings"[answer.start : answer.end]
    with pytest.raises(HfHubHTTPError, match="align_to_words"):
        client.question_answering(question="Who sings?", context="Anna sings", align_to_words=False)


def test_of_a_list_there_is_a_list_for_each(url: str, dispatcher: FakeDispatcher) -> None:
    status = dispatcher.models.statuses[0]
    status.task = "token_classification"
    rows = post(url, "", {"inputs": ["Anna sings", "So does Bob"]}).json()
    assert [row[0]["word"] for row in rows] == ["Anna", "So"]
    status.task = "zero_shot"
    rows = post(url, "", {"inputs": ["a"], "parameters": {"candidate_labels": ["x", "y"]}}).json()
    assert [one["label"] for one in rows[0]] == ["x", "y"]


@pytest.mark.parametrize(
    ("task", "body"),
    [
        ("token_classification", {"inputs": "a", "parameters": {"stride": 3}}),
        ("fill_mask", {"inputs": "[MASK]", "parameters": {"targets": ["a"]}}),
        ("question_answering", {"inputs": {"question": "a", "context": "b"}, "parameters": {"max_question_len": 9}}),
        ("embed", {"inputs": "a", "prompt_name": "query"}),
        ("embed", {"inputs": "a", "encoding_format": "base64"}),
        ("generate", {"inputs": "a", "parameters": {"watermark": True}}),
        ("generate", {"inputs": "a", "parameters": {"typical_p": 0.5}}),
        ("generate", {"inputs": "a", "parameters": {"decoder_input_details": True}}),
        ("generate", {"inputs": "a", "parameters": {"adapter_id": "x"}}),
        ("generate", {"inputs": "a", "parameters": {"grammar": {"type": "regex", "value": {}}}}),
        ("zero_shot", {"inputs": "a"}),
        ("classify", {"inputs": []}),
    ],
)
def test_what_would_change_an_answer_unseen_is_refused_by_name(
    url: str, dispatcher: FakeDispatcher, task: str, body: dict[str, Any]
) -> None:
    dispatcher.models.statuses[0].task = task
    answer = post(url, "", body)
    assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")
    given = list(body.get("parameters", {})) or [name for name in body if name != "inputs"] or ["inputs", "parameters"]
    assert any(name in answer.json()["error"] for name in given)
    assert not dispatcher.requests
