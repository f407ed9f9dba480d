"""One process's windows: bounded in memory, and shares of limits."""

from __future__ import annotations

import pytest

from podium.access.ledger import Admitted, Refused, Settlement, Used
from podium.access.ledger_windows import ENDED_SECONDS, STORE_BACK_SECONDS, LedgerWindows
from podium.access.usage import Tally
from podium.core.standing import Standing
from support.ledgers import LEASE_SECONDS, TestClock, ask, limit

TOKENS = limit("tokens_per_minute", 1000)


def _windows(clock: TestClock | None = None) -> LedgerWindows:
    return LedgerWindows(LEASE_SECONDS, clock=clock or TestClock())


def _used(windows: LedgerWindows) -> float:
    decision = windows.reserve(ask((TOKENS, TOKENS.most + 1)))
    assert isinstance(decision, Refused)
    standing: Standing = decision.standings[0]
    return standing.limit - standing.remaining


def test_a_share_of_a_limit_is_at_least_one() -> None:
    windows = _windows()
    assert isinstance(windows.reserve(ask((TOKENS, 251)), share=4), Refused)
    decision = windows.reserve(ask((TOKENS, 250)), share=4)
    assert isinstance(decision, Admitted)
    assert (decision.standings[0].limit, decision.standings[0].remaining) == (250, 0)
    live = limit("concurrent_requests", 2)
    assert isinstance(windows.reserve(ask((live, 1)), share=4), Admitted)
    assert isinstance(windows.reserve(ask((live, 1)), share=4), Refused)


def test_what_fits_the_whole_but_not_the_share_may_come_back_when_the_store_should_be() -> None:
    decision = _windows().reserve(ask((TOKENS, 500)), share=4)
    assert isinstance(decision, Refused)
    assert decision.retry_after_seconds == STORE_BACK_SECONDS
    never = _windows().reserve(ask((TOKENS, 1001)), share=4)
    assert isinstance(never, Refused)
    assert never.retry_after_seconds is None


def test_a_refused_request_leaves_no_bucket_behind() -> None:
    windows = _windows()
    for number in range(100):
        windows.reserve(ask((limit("tokens_per_minute", 10, name=str(number)), 11)))
    assert (windows.buckets, windows.live) == (0, 0)


def test_buckets_of_callers_that_went_away_vanish_while_others_call() -> None:
    clock = TestClock()
    windows = _windows(clock)
    for number in range(2000):
        one = ask(
            (limit("requests_per_minute", 10, name=str(number)), 1),
            (limit("concurrent_requests", 1, name=str(number)), 1),
        )
        windows.reserve(one)
        windows.settle(Settlement(one, Used()))
        clock.advance(0.5)
    assert windows.buckets < 500  # of 4000; 122 hold something


def test_a_request_that_somebody_else_admitted_is_held_whether_it_fits_or_not() -> None:
    windows = _windows()
    windows.hold(ask((TOKENS, 800)))
    windows.hold(ask((TOKENS, 800)))
    assert windows.reserve(ask((TOKENS, 1))).standings[0].remaining == 0
    assert windows.live == 2


def test_an_unknown_request_is_not_settled() -> None:
    windows = _windows()
    assert windows.settle(Settlement(ask((TOKENS, 800)), Used(0, 5))) is None
    assert _used(windows) == 0


def test_ends_of_leases_are_remembered_for_an_hour_and_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = TestClock()
    windows = _windows(clock)
    monkeypatch.setattr("podium.access.ledger_windows.MOST_ENDED", 10)
    dead = [ask((TOKENS, 10)) for _ in range(20)]
    for one in dead:
        windows.hold(one)
    clock.advance(LEASE_SECONDS)
    windows.tidy()
    assert windows.settle(Settlement(dead[0], Used(0, 7))) is None  # pushed out
    assert windows.settle(Settlement(dead[19], Used(0, 7))) == Tally(output_tokens=7)
    clock.advance(ENDED_SECONDS + 1)
    windows.tidy()
    assert windows.settle(Settlement(dead[18], Used(0, 7))) is None


def test_what_was_used_before_is_charged_when_it_was() -> None:
    clock = TestClock()
    windows = _windows(clock)
    windows.seed(TOKENS, 100, age_seconds=50)
    windows.seed(TOKENS, 10, age_seconds=5)
    windows.seed(TOKENS, 1, age_seconds=100)
    assert _used(windows) == 110
    clock.advance(12)
    assert _used(windows) == 10
