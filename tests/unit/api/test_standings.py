"""Quotas as header fields."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.api.standings import duration_text, joined, plain_headers, structured_headers, tightest
from podium.core.standing import QuotaName, ScopeKind, Standing
from support.structured_fields import Item, Malformed, parse_list

MINUTE = Standing("requests_per_minute", "key", 60, 59, 1.0, 60)
TOKENS = Standing("tokens_per_minute", "tenant", 1000, 400, 20.5, 60)
DAY = Standing("tokens_per_day", "key", 100_000, 399, 86_000.0, 86_400)
RUNNING = Standing("concurrent_requests", "key", 4, 1, 0.0, 0)
BUDGET = Standing("budget_per_30_days", "tenant", 12.5, 0.0000019, 100.0, 2_592_000)

STANDINGS = st.builds(
    Standing,
    quota=st.sampled_from(get_args(QuotaName)),
    scope=st.sampled_from(get_args(ScopeKind)),
    limit=st.floats(0, 1e18),
    remaining=st.floats(-1e6, 1e18),
    reset_seconds=st.floats(-1, 1e7),
    window_seconds=st.sampled_from([0.0, 60.0, 86_400.0, 2_592_000.0]),
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (-3.0, "0s"),
        (0.0001, "1ms"),
        (0.02, "20ms"),
        (0.9991, "1s"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360.0, "6m0s"),
        (432.25, "7m12.25s"),
        (3600.0, "1h0m0s"),
        (86_400.0, "24h0m0s"),
        (86_399.0005, "23h59m59.001s"),
    ],
)
def test_a_time_is_written_as_openai_writes_it_and_never_too_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def plain(*standings: Standing) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in plain_headers(standings)}


def test_each_kind_has_the_headers_of_its_tightest_quota() -> None:
    assert plain(MINUTE, TOKENS, DAY, RUNNING, BUDGET) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "100000",
        "x-ratelimit-remaining-tokens": "399",
        "x-ratelimit-reset-tokens": "23h53m20s",
    }


def test_a_kind_without_a_quota_has_no_headers() -> None:
    assert plain(RUNNING, BUDGET) == {}
    assert set(plain(TOKENS)) == {f"x-ratelimit-{what}-tokens" for what in ("limit", "remaining", "reset")}


def test_of_equally_tight_quotas_the_one_that_takes_longest_counts() -> None:
    slow = Standing("requests_per_minute", "model", 99, 59, 30.0, 60)
    assert tightest([MINUTE, slow]) is slow
    assert tightest([slow, MINUTE]) is slow


def test_standings_of_several_generations_are_joined_quota_by_quota() -> None:
    later = Standing("requests_per_minute", "key", 60, 58, 2.0, 60)
    other = Standing("requests_per_minute", "tenant", 60, 10, 2.0, 60)
    assert joined((MINUTE, TOKENS), (later, other)) == (later, TOKENS, other)
    assert joined((later,), (MINUTE,)) == (later,)


def structured(*standings: Standing, retry_after_seconds: float | None = None) -> tuple[list[Item], list[Item]]:
    headers = dict(structured_headers(standings, retry_after_seconds=retry_after_seconds))
    return parse_list(headers[b"ratelimit-policy"].decode()), parse_list(headers[b"ratelimit"].decode())


def test_the_drafts_fields_name_every_quota_with_its_unit_and_window() -> None:
    policies, limits = structured(MINUTE, TOKENS, RUNNING, BUDGET)
    assert policies == [
        Item("key-requests-per-minute", {"q": 60, "w": 60}),
        Item("tenant-tokens-per-minute", {"q": 1000, "qu": "tokens", "w": 60}),
        Item("key-concurrent-requests", {"q": 4, "qu": "concurrent-requests"}),
        Item("tenant-budget-per-30-days", {"q": 12_500_000, "qu": "money-millionths", "w": 2_592_000}),
    ]
    assert limits == [
        Item("key-requests-per-minute", {"r": 59, "t": 1}),
        Item("tenant-tokens-per-minute", {"r": 400, "t": 21}),
        Item("key-concurrent-requests", {"r": 1}),
        Item("tenant-budget-per-30-days", {"r": 1, "t": 100}),
    ]


def test_no_reset_is_later_than_the_moment_to_retry() -> None:
    """The draft asks that Retry-After is not earlier than the reset."""
    _, limits = structured(MINUTE, TOKENS, DAY, retry_after_seconds=3.2)
    assert [item.parameters["t"] for item in limits] == [1, 4, 4]


def test_without_quotas_there_are_no_fields() -> None:
    assert structured_headers((), retry_after_seconds=None) == []
    assert plain_headers(()) == []


@given(st.lists(STANDINGS, min_size=1, max_size=8, unique_by=lambda one: (one.scope, one.quota)))
def test_whatever_the_standings_the_fields_follow_the_grammar(standings: list[Standing]) -> None:
    policies, limits = structured(*standings)
    assert [item.value for item in policies] == [item.value for item in limits]
    assert len({item.value for item in policies}) == len(standings)
    for standing, policy, limit in zip(standings, policies, limits, strict=True):
        assert set(policy.parameters) <= {"q", "qu", "w"}
        assert set(limit.parameters) <= {"r", "t"}
        numbers = [value for item in (policy, limit) for name, value in item.parameters.items() if name != "qu"]
        assert all(type(number) is int and number >= 0 for number in numbers)
        assert ("w" in policy.parameters) == ("t" in limit.parameters) == bool(standing.window_seconds)
    for value in plain(*standings).values():
        assert value.isascii()


@given(st.floats(0, 1e8))
def test_a_written_time_is_read_back_within_a_millisecond(seconds: float) -> None:
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    total, number, rest = 0.0, "", duration_text(seconds)
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = "ms" if rest.startswith("ms") else rest[0]
        rest = rest[len(unit) :]
        total += float(number) * units[unit]
    assert math.isclose(total, seconds, rel_tol=1e-12, abs_tol=0.0011)
    assert total >= seconds - 1e-6


@pytest.mark.parametrize(
    "text", ['"a";q=1,', '"a" "b"', "'a'", '"a";Q=1', '"a";q=1.', '"a', '"a";q=1234567890123456', '"é"', ";a"]
)
def test_the_tests_own_parser_refuses_what_the_grammar_does_not_allow(text: str) -> None:
    with pytest.raises(Malformed):
        parse_list(text)
