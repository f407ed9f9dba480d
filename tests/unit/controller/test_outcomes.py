"""Lines of the attempts log as Envoy 1.40 writes them, and what a rollout counts of each."""

from __future__ import annotations

from typing import Any

import pytest

from podium.controller.outcomes import outcomes
from podium.gateway.attempts import Attempt
from podium.rollout.outcome import Outcome

USUAL: dict[str, Any] = {
    "moment": "UpstreamEnd",
    "began": 1795770578.106767,
    "request_id": "r",
    "route": "split",
    "environment": "green",
    "cluster": "green_shielded",
    "attempt": 1,
    "code": 200,
    "flags": "-",
    "first_byte_us": 437,
    "body_us": 83,
    "duration_ms": 1,
}


def counted(**line: Any) -> list[Outcome]:
    return list(outcomes([Attempt(**{**USUAL, **line})], canary="green", stable="blue"))


def one(**line: Any) -> Outcome:
    (found,) = counted(**line)
    return found


@pytest.mark.parametrize(
    ("line", "failed", "broken"),
    [
        ({}, False, False),
        ({"code": 404}, False, False),
        ({"code": 500, "body_us": None}, True, False),
        ({"code": 0, "flags": "UC", "first_byte_us": None, "body_us": None}, True, False),  # reset
        ({"code": 0, "flags": "UT", "first_byte_us": None, "body_us": None}, True, False),  # no first byte in time
        ({"code": 0, "flags": "UF", "first_byte_us": None, "body_us": None}, True, False),  # no connection
        ({"code": 200, "flags": "UPE", "body_us": None}, False, True),  # the stream broke
        ({"code": 0, "flags": "-", "first_byte_us": None, "body_us": None}, False, False),  # the client left
        ({"code": 200, "flags": "-", "body_us": None}, False, False),  # the client left in the stream
    ],
)
def test_what_counts_as_failed_and_what_as_broken(line: dict[str, Any], failed: bool, broken: bool) -> None:  # noqa: FBT001
    outcome = one(**line)
    assert (outcome.failed, outcome.broken, outcome.ended) == (failed, broken, True)


@pytest.mark.parametrize(
    ("cache", "kept"),
    [("hit", True), ("semantic", True), ("attach", True), ("miss", False), ("bypass", False), (None, False)],
)
def test_an_answer_that_was_not_computed_for_it_is_a_kept_one(cache: str | None, kept: bool) -> None:  # noqa: FBT001
    assert one(cache=cache).kept is kept


@pytest.mark.parametrize("line", [{"attempt": 2, "environment": "blue"}, {"route": "pin-green"}, {"cluster": "yellow"}])
def test_retries_pins_and_other_environments_are_left_out(line: dict[str, Any]) -> None:
    assert counted(**line) == []


def test_the_arm_is_where_the_weights_sent_it_also_when_its_servers_were_out() -> None:
    outcome = one(environment="blue")
    assert (outcome.arm, outcome.failed) == ("canary", True)
    assert one(cluster="blue", environment="blue").arm == "stable"


def test_all_lines_of_an_attempt_have_one_key_and_only_the_last_one_ends_it() -> None:
    begun = one(moment="UpstreamPoolReady", code=0, first_byte_us=None, body_us=None, duration_ms=0)
    later = one(moment="UpstreamPeriodic", body_us=None, duration_ms=5001)
    assert begun.key == later.key == one().key
    assert one(began=1795770578.106768).key != one().key
    assert (begun.ended, begun.failed, later.ended, later.lasted_seconds) == (False, False, False, 5.001)


def test_a_user_is_told_apart_without_being_named() -> None:
    assert one(user="alice").user == one(user="alice").user != one(user="bob").user
    assert one().user is None
    assert "alice" not in repr(one(user="alice"))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"stream_report": "whole; tokens=11; seconds=0.500000"}, (False, False, 0.05)),
        ({"report": "whole; tokens=11; seconds=0.500000"}, (False, False, 0.05)),
        ({"stream_report": "broken; tokens=11; seconds=0.500000"}, (True, False, None)),
        ({"stream_report": "empty; tokens=1; seconds=0.000000"}, (False, True, None)),
        ({"stream_report": "whole; tokens=1; seconds=0.500000"}, (False, False, None)),
        ({"stream_report": "broken; tokens=2; seconds=1.0", "flags": "UC"}, (True, False, None)),
        ({"stream_report": "somebody else's words"}, (False, False, None)),
        ({}, (False, False, None)),
    ],
)
def test_a_server_that_reports_its_answers_is_believed(told: dict[str, str], expected: tuple[object, ...]) -> None:
    outcome = one(**told)
    assert (outcome.broken, outcome.invalid, outcome.seconds_per_token) == expected
    assert not outcome.failed
