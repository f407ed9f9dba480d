"""Copied requests: which are asked again, what a good answer is, and what pairs of answers prove."""

from __future__ import annotations

import json
from typing import Any

import pytest

from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.shadow_evidence import Check, Pair, ShadowEvidence, ShadowTerms, judge_shadow
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict
from podium.rollout.shadow.answer import ShadowAnswer, likeness
from podium.rollout.shadow.copied_request import CopiedRequest, question_of

GOOD, WORSE, BETTER, BOTH_BAD = Pair(True, True), Pair(True, False), Pair(False, True), Pair(False, False)


def copied(body: object, target: str = "/v1/completions", method: str = "POST", **headers: str) -> CopiedRequest:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return CopiedRequest(method=method, target=target, headers=named, body=json.dumps(body).encode())


def judged(pairs: list[Pair], check: Check = "good") -> Verdict:
    terms = ShadowTerms(share=1.0, check=check)
    return judge_shadow(ShadowEvidence.start(check).after(pairs), terms, Policy())


def test_a_copy_is_asked_whole_by_the_same_caller_and_nothing_of_its_way_is_kept() -> None:
    question = question_of(
        copied(
            {"prompt": "x", "stream": True, "stream_options": {"include_usage": True}},
            authorization="Bearer k",
            x_forwarded_for="10.0.0.9, 192.0.2.2",
            x_envoy_attempt_count="1",
            x_podium_user="u",
            host="gw",
            te="trailers",
            x_request_id="r",
        )
    )
    assert question is not None
    assert json.loads(question.body) == {"prompt": "x", "stream": False}
    assert dict(question.headers) == {
        "authorization": "Bearer k",
        "x-forwarded-for": "10.0.0.9",
        "content-type": "application/json",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize(
    "copy",
    [
        copied({}, "/models/m/load"),
        copied({}, "/v1/embeddings"),
        copied({}, "/cache", "DELETE"),
        copied({}, method="GET"),
        copied(["no", "object"]),
        CopiedRequest(method="POST", target="/generate", headers=(), body=b"\xff"),
    ],
)
def test_what_is_no_text_generation_is_not_asked_again(copy: CopiedRequest) -> None:
    assert question_of(copy) is None


ANSWERS: dict[str, Any] = {
    "chat": {"choices": [{"message": {"content": "a b"}}]},
    "completions": {"choices": [{"text": "a b"}]},
    "messages": {"content": [{"type": "text", "text": "a b"}]},
    "generate": {"generated_text": "a b"},
    "ollama": {"message": {"content": "a b"}},
    "ollama generate": {"response": "a b"},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_text_of_every_dialect_is_found(name: str) -> None:
    assert ShadowAnswer(200, json.dumps(ANSWERS[name]).encode()).text == "a b"


@pytest.mark.parametrize(
    ("answer", "wants_json", "good"),
    [
        (ShadowAnswer(200, b"{}", "whole; tokens=2; seconds=0.1"), False, True),
        (ShadowAnswer(200, b"{}", "empty; tokens=1; seconds=0.1"), False, False),
        (ShadowAnswer(400, b"{}"), False, False),
        (ShadowAnswer(500), False, False),
        (ShadowAnswer(0), False, False),
        (ShadowAnswer(200, json.dumps({"response": '{"a": 1}'}).encode()), True, True),
        (ShadowAnswer(200, json.dumps({"response": '{"a": '}).encode()), True, False),
    ],
)
def test_a_good_answer_is_whole_and_what_was_wanted(answer: ShadowAnswer, wants_json: bool, good: bool) -> None:  # noqa: FBT001
    assert answer.is_good(wants_json=wants_json) is good


def test_likeness_is_what_two_texts_share_by_words() -> None:
    assert likeness("a b c d", "a b c d") == 1
    assert likeness("a b c d", "a b x d") == 0.75
    assert likeness("a", "b") == 0


def test_nine_pairs_in_which_the_canary_alone_was_bad_are_enough() -> None:
    assert isinstance(judged([WORSE] * 8), Hold)
    assert isinstance(judged([WORSE] * 9), Rollback)
    assert isinstance(judged([WORSE] * 9 + [BETTER] * 9), Rollback)  # never taken back
    assert isinstance(judged([WORSE, BETTER] * 20), Hold)


def test_good_answers_advance_as_soon_as_they_prove_it_and_a_hold_says_how_many_that_takes() -> None:
    held = judged([GOOD] * 100)
    assert isinstance(held, Hold)
    assert held.needs_canary_requests is not None
    assert isinstance(judged([GOOD] * (100 + held.needs_canary_requests)), Advance)
    assert isinstance(judged([GOOD] * (99 + held.needs_canary_requests)), Hold)


@pytest.mark.parametrize("pairs", [[], [BOTH_BAD] * 5000])
def test_no_data_is_no_pass_and_neither_are_requests_that_nobody_can_answer(pairs: list[Pair]) -> None:
    verdict = judged(pairs)
    assert isinstance(verdict, Hold)
    assert "no pair with a good answer" in verdict.sentence


def test_likeness_counts_where_it_is_asked_for_and_is_measured_against_the_stable_versions_own() -> None:
    other, same, noisy = Pair(True, True, 1.0, 0.2), Pair(True, True, 1.0, 1.0), Pair(True, True, 0.3, 0.3)
    assert isinstance(judged([other] * 40, "similar"), Rollback)
    assert not isinstance(judged([other] * 40, "good"), Rollback)
    assert isinstance(judged([same] * 2000, "similar"), Advance)
    assert isinstance(judged([noisy] * 2000, "similar"), Advance)
