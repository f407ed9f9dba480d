"""Plain completions, and what lm-evaluation-harness computes from them."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.generation import Chunk, GenerationRequest, TextPrompt, TokenLogprob, TokensPrompt
from support.asgi import Answer, call
from support.http_doubles import FakeDispatcher, fake_backend

PATH = "/v1/completions"


def ask(body: dict[str, Any], dispatcher: FakeDispatcher | None = None) -> Answer:
    return call(create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher())), "POST", PATH, body)


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", [TextPrompt("a")]),
        (["a", "b"], [TextPrompt("a"), TextPrompt("b")]),
        ([1, 2], [TokensPrompt((1, 2))]),
        ([[1, 2], [3]], [TokensPrompt((1, 2)), TokensPrompt((3,))]),
    ],
)
def test_all_four_prompt_forms_are_taken(prompt: object, prompts: list[object]) -> None:
    dispatcher = FakeDispatcher()
    assert ask({"prompt": prompt}, dispatcher).status == 200
    assert [request.prompt for request in dispatcher.requests] == prompts


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        7,
        {},
        [],
        [[]],
        "",
        [""],
        [1, "a"],
        [1, [1]],
        ["a", None],
        [True],
        [1.5],
        [-1],
        [2**31],
        [[1], [True]],
        [[[1]]],
    ],
)
def test_other_prompts_are_refused(prompt: object) -> None:
    answer = ask({"prompt": prompt})
    assert answer.status == 400
    assert answer.json["error"]["param"] == "prompt"


def test_the_answer_has_the_published_shape() -> None:
    body = ask({"prompt": "a", "max_tokens": 2}).json
    assert body["id"].startswith("cmpl-")
    assert body["object"] == "text_completion"
    choice = body["choices"][0]
    assert (choice["text"], choice["index"], choice["logprobs"], choice["finish_reason"]) == (
        "The sea",
        0,
        None,
        "length",
    )


@pytest.mark.parametrize("streaming", [False, True])
def test_the_index_is_prompt_times_n_plus_answer(streaming: object) -> None:
    def script(request: GenerationRequest) -> list[Chunk]:
        assert isinstance(request.prompt, TextPrompt)
        return [
            Chunk(i, f"{request.prompt.text}{i}", token_count=1, finish_reason="stop", prompt_tokens=2) for i in (0, 1)
        ]

    answer = ask({"prompt": ["a", "b", "c"], "n": 2, "stream": streaming}, FakeDispatcher(script))
    choices = [event["choices"][0] for event in answer.data[:-1]] if streaming else answer.json["choices"]
    assert sorted((choice["index"], choice["text"]) for choice in choices) == [
        (0, "a0"), (1, "a1"), (2, "b0"), (3, "b1"), (4, "c0"), (5, "c1"),
    ]  # fmt: skip
    if not streaming:
        assert answer.json["usage"]["prompt_tokens"] == 6
        assert answer.json["usage"]["completion_tokens"] == 6


def test_the_stream_ends_with_usage_and_done() -> None:
    *chunks, usage, done = ask(
        {"prompt": ["a b", "c"], "stream": True, "max_tokens": 2, "stream_options": {"include_usage": True}}
    ).data
    assert done == "[DONE]"
    assert all(chunk["object"] == "text_completion" and chunk["usage"] is None for chunk in chunks)
    assert (usage["choices"], usage["usage"]["prompt_tokens"], usage["usage"]["completion_tokens"]) == ([], 3, 4)


PROMPT = ("Once", " upon", " a")


def echoing(request: GenerationRequest) -> list[Chunk]:
    """An engine's answer to echo with log probabilities: the prompt's tokens, then one new token."""
    assert request.sampling.echo
    assert request.sampling.logprobs == 1
    first = TokenLogprob(1, PROMPT[0], None)
    prompt = (
        first,
        TokenLogprob(2, PROMPT[1], -0.25, ((2, PROMPT[1], -0.25),)),
        TokenLogprob(3, PROMPT[2], -3.5, ((9, " the", -0.5),)),
    )
    new = TokenLogprob(4, " time", -0.125, ((4, " time", -0.125),))
    return [
        Chunk(0, "".join(PROMPT), logprobs=prompt, prompt_tokens=3),
        Chunk(0, " time", token_count=1, logprobs=(new,), finish_reason="length", prompt_tokens=3),
    ]


def test_lm_evaluation_harness_reads_loglikelihood_and_greediness() -> None:
    request = {"prompt": [[1, 2, 3]], "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0, "seed": 1234}
    (choice,) = sorted(ask(request, FakeDispatcher(echoing)).json["choices"], key=lambda choice: choice["index"])
    logprobs = choice["logprobs"]
    context_length = 1
    assert sum(logprobs["token_logprobs"][context_length:-1]) == -0.25 - 3.5
    greedy = [
        logprob == max(top.values())
        for logprob, top in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True)
    ]
    assert greedy == [True, False, True]
    assert logprobs["token_logprobs"][0] is None
    assert logprobs["top_logprobs"][0] is None
    assert logprobs["top_logprobs"][2] == {" the": -0.5, " a": -3.5}
    assert logprobs["tokens"] == [*PROMPT, " time"]
    assert logprobs["text_offset"] == [0, 4, 9, 11]
    assert choice["text"] == "Once upon a time"


def test_streamed_logprobs_go_on_counting_offsets() -> None:
    request = {"prompt": [1, 2, 3], "echo": True, "logprobs": 1, "max_tokens": 1, "stream": True}
    first, second, _ = ask(request, FakeDispatcher(echoing)).data
    assert first["choices"][0]["logprobs"]["text_offset"] == [0, 4, 9]
    assert second["choices"][0]["logprobs"]["text_offset"] == [11]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"best_of": 2}, "best_of"),
        ({"best_of": 3, "n": 2}, "best_of"),
        ({"suffix": "x"}, "suffix"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"prompt": ["x"] * 65}, "prompt"),
        ({"n": 9}, "n"),
    ],
)
def test_what_is_not_done_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    answer = ask({"prompt": "x", **members})
    assert answer.status == 400
    assert answer.json["error"]["param"] == param


def test_harmless_spellings_pass() -> None:
    assert ask({"prompt": "x", "best_of": 2, "n": 2, "suffix": "", "logprobs": None, "echo": False}).status == 200
