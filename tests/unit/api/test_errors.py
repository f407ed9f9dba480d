"""Errors in every dialect."""

from __future__ import annotations

import json

import pytest

from podium.api import refusals
from podium.api.errors import NATIVE, OPENAI, body_of, dialect_of, headers_of, outcome_of, status_of
from podium.core.errors import (
    EngineCrashed,
    IdempotencyInProgress,
    InvalidRequest,
    Overloaded,
    PodiumError,
    QuotaExhausted,
    RateLimited,
    all_errors,
)

CODES = sorted(all_errors())


def test_the_surface_adds_its_own_leaves_to_the_tree() -> None:
    assert {kind.code for kind in refusals.SURFACE_ERRORS} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_error_has_a_row_in_both_tables_with_the_same_status(code: str) -> None:
    assert OPENAI[code].status == NATIVE[code]


def test_no_row_is_without_an_error() -> None:
    assert set(OPENAI) == set(NATIVE) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_type_goes_with_the_status(code: str) -> None:
    row = OPENAI[code]
    assert (row.type == "server_error") == (row.status >= 500)


def test_openai_answers_have_exactly_the_four_members() -> None:
    body = json.loads(body_of(InvalidRequest("No.", param="n"), "openai", "r"))
    assert body == {
        "error": {"message": "No.", "type": "invalid_request_error", "param": "n", "code": "invalid_request"}
    }


def test_native_answers_name_the_request_and_say_whether_to_retry() -> None:
    body = json.loads(body_of(EngineCrashed("Gone."), "native", "r-1"))
    assert body == {
        "error": {"code": "engine_crashed", "message": "Gone.", "param": None, "request_id": "r-1", "retryable": True}
    }


@pytest.mark.parametrize(("seconds", "header"), [(0.01, b"1"), (1.0, b"1"), (1.2, b"2"), (59.5, b"60")])
def test_retry_after_is_whole_seconds_rounded_up_and_at_least_one(seconds: float, header: bytes) -> None:
    assert (b"retry-after", header) in headers_of(Overloaded("Full.", retry_after_seconds=seconds))


@pytest.mark.parametrize(("seconds", "milliseconds"), [(0.0, b"1"), (0.0201, b"21"), (1.0, b"1000"), (59.5, b"59500")])
def test_a_rate_limit_tells_the_wait_in_milliseconds_too(seconds: float, milliseconds: bytes) -> None:
    assert (b"retry-after-ms", milliseconds) in headers_of(RateLimited("Slow.", retry_after_seconds=seconds))


@pytest.mark.parametrize(
    "error", [Overloaded("Full.", retry_after_seconds=2), QuotaExhausted("Used up.", retry_after_seconds=2)]
)
def test_nothing_else_does(error: PodiumError) -> None:
    names = [name for name, _ in headers_of(error)]
    assert b"retry-after" in names
    assert b"retry-after-ms" not in names


def test_only_what_cannot_be_mended_by_a_retry_says_so() -> None:
    assert (b"x-should-retry", b"false") in headers_of(InvalidRequest("No."))
    assert (b"x-should-retry", b"false") in headers_of(QuotaExhausted("Used up."))
    for error in (Overloaded("Full."), RateLimited("Slow."), IdempotencyInProgress("Running.")):
        assert all(name != b"x-should-retry" for name, _ in headers_of(error))


def test_wrong_methods_are_told_the_right_ones() -> None:
    assert (b"allow", b"GET") in headers_of(refusals.MethodNotAllowed("No.", allow="GET"))


@pytest.mark.parametrize("code", CODES)
def test_every_error_before_the_first_byte_has_an_outcome_that_agrees_with_its_status(code: str) -> None:
    error = PodiumError("x")
    error.code = code  # type: ignore[misc]
    outcome = outcome_of(error)
    if outcome == "client_error":
        assert 400 <= status_of(error) < 500
    if outcome == "server_error":
        assert status_of(error) >= 500


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "openai"),
        ("/v1", "openai"),
        ("/v12", "native"),
        ("/generate", "native"),
        ("/v1/messages", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/v1/messages2", "openai"),
    ],
)
def test_the_path_says_whose_shape_an_error_has(path: str, dialect: str) -> None:
    assert dialect_of(path) == dialect


@pytest.mark.parametrize("code", CODES)
def test_anthropic_s_type_goes_with_the_status(code: str) -> None:
    error = PodiumError("x")
    error.code = code  # type: ignore[misc]
    status, body = status_of(error, "anthropic"), json.loads(body_of(error, "anthropic", "r-1"))
    assert (body["type"], body["request_id"], body["error"]["message"]) == ("error", "r-1", "x")
    assert status == (529 if code == "overloaded" else NATIVE[code])
    server = {"api_error", "overloaded_error", "timeout_error"}
    assert (body["error"]["type"] in server) == (status >= 500)
