"""What ``podium demo canary`` says at its end follows from the log of the rollout and from both counters."""

from __future__ import annotations

from collections import deque

from podium.cli.demo.canary_performance import Outcome, Performance
from podium.cli.demo.canary_report import document, paragraphs, seconds_of
from podium.cli.demo.canary_result import expected
from podium.demo.canary import Play
from podium.demo.fault_proxy import Fault, FaultCounts
from podium.demo.load import ClientCounts
from podium.protocols.rollouts import EventBody
from support.rollout_answers import event, rollout

BEGUN = (event(1, "started"), event(4, "acknowledged", canary_units=2500))
NOTICED = (event(9, "judged", verdict="ROLLBACK", reason="worse"), event(10, "acknowledged", canary_units=0))
PROMOTED = (event(20, "judged", verdict="ADVANCE"), event(21, "acknowledged", canary_units=10_000))


def performance(outcome: Outcome, phase: str, events: tuple[EventBody, ...], failed: int = 0) -> Performance:
    client = ClientCounts(sent=300, ok=300 - failed, failed=failed, newest_seconds=deque([0.25]))
    return Performance(outcome, rollout(phase, reason="worse in errors"), events, client, FaultCounts(40, 9))


def test_times_are_counted_from_the_first_confirmed_share() -> None:
    assert seconds_of((*BEGUN, *NOTICED)) == {
        "detected_after_seconds": 5.0,
        "rolled_back_after_seconds": 6.0,
        "promoted_after_seconds": None,
    }
    assert seconds_of((*BEGUN, *PROMOTED))["promoted_after_seconds"] == 17.0
    assert set(seconds_of(BEGUN[:1]).values()) == {None}


def test_the_document_holds_what_client_and_proxy_counted() -> None:
    shown = document(Play("errors", 0.2, 20.0), performance("rolled-back", "rolled-back", (*BEGUN, *NOTICED), failed=1))
    assert shown == {
        "outcome": "rolled-back",
        "reason": "worse in errors",
        "fault": "errors",
        "fault_rate": 0.2,
        "requests_per_second": 20.0,
        "client_requests": 300,
        "client_errors": 1,
        "client_p50_ms": 250.0,
        "client_p99_ms": 250.0,
        "canary_attempts": 40,
        "canary_failures": 9,
        "detected_after_seconds": 5.0,
        "rolled_back_after_seconds": 6.0,
        "promoted_after_seconds": None,
    }


def told(fault: Fault, shown: Performance) -> str:
    return "\n".join(paragraphs(Play(fault, 0.2, 20.0), shown))


def test_the_words_say_what_was_seen_and_what_was_loosened() -> None:
    text = told("reset", performance("rolled-back", "rolled-back", (*BEGUN, *NOTICED)))
    assert "The client sent 300 requests; none of them failed." in text
    assert "9 of the 40 attempts that reached green were cut off by a reset connection" in text
    assert (
        "Noticed 5.0 s after its first share, and without traffic 1.00 s later, green was taken back: worse in errors."
        in text
    )
    assert "For the demonstration only: intervals of 1 s instead of 5" in text
    assert "1 of them failed" in told("reset", performance("rolled-back", "rolled-back", BEGUN, failed=1))
    assert "has taken over: it had all traffic 17.0 s after" in told(
        "none", performance("promoted", "done", (*BEGUN, *PROMOTED))
    )
    assert "No verdict in 100 s; send more" in told("hang", performance("unfinished", "observing", BEGUN))
    assert "not what should have come of it: green is held" in told("hang", performance("held", "held", BEGUN))


def test_a_fault_should_end_in_a_rollback_and_none_in_a_promotion() -> None:
    faults: tuple[Fault, ...] = ("errors", "slow", "reset", "hang", "none")
    assert [expected(Play(fault, 0.2, 20.0)) for fault in faults] == [*["rolled-back"] * 4, "promoted"]
