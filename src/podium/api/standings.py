"""How a caller stands with its quotas, as header fields: OpenAI's names, and those of the IETF's draft."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from podium.core.standing import QuotaName, ScopeKind, Standing

Header = tuple[bytes, bytes]

_KINDS: tuple[tuple[bytes, frozenset[QuotaName]], ...] = (
    (b"requests", frozenset({"requests_per_minute"})),
    (b"tokens", frozenset({"tokens_per_minute", "tokens_per_day"})),
)
_UNITS: dict[QuotaName, str] = {
    "requests_per_minute": "requests",
    "tokens_per_minute": "tokens",
    "tokens_per_day": "tokens",
    "concurrent_requests": "concurrent-requests",
    "budget_per_day": "money-millionths",
    "budget_per_30_days": "money-millionths",
}
_MILLION = 1_000_000
_MOST = 999_999_999_999_999  # RFC 9651: an Integer has at most 15 digits


def joined(first: Iterable[Standing], second: Iterable[Standing]) -> tuple[Standing, ...]:
    """The standings of two requests together: of each quota and scope the tightest one, in order of appearance."""
    found: dict[tuple[str, str], Standing] = {}
    for standing in (*first, *second):
        key = (standing.scope, standing.quota)
        found[key] = tightest([found[key], standing]) if key in found else standing
    return tuple(found.values())


def tightest(standings: Sequence[Standing]) -> Standing:
    """The one with the least left; of equal ones, the one that takes longest."""
    return min(standings, key=lambda standing: (standing.remaining, -standing.reset_seconds))


def plain_headers(standings: Sequence[Standing]) -> list[Header]:
    """``x-ratelimit-limit|remaining|reset-requests`` and ``-tokens``, each of the tightest quota of its kind."""
    headers: list[Header] = []
    for kind, quotas in _KINDS:
        of_kind = [standing for standing in standings if standing.quota in quotas]
        if not of_kind:
            continue
        standing = tightest(of_kind)
        headers += [
            (b"x-ratelimit-limit-" + kind, b"%d" % standing.limit),
            (b"x-ratelimit-remaining-" + kind, b"%d" % max(0, math.floor(standing.remaining))),
            (b"x-ratelimit-reset-" + kind, duration_text(standing.reset_seconds).encode("ascii")),
        ]
    return headers


def structured_headers(standings: Sequence[Standing], *, retry_after_seconds: float | None) -> list[Header]:
    """``RateLimit-Policy`` and ``RateLimit`` of draft-ietf-httpapi-ratelimit-headers-10, one item for each quota.

    ``t`` is not later than ``Retry-After`` where there is one (section 6). Concurrency has neither window
    nor reset. Tokens and money have units that the draft's registry does not know; without a unit they
    would read as requests. Money counts in millionths, because the fields hold integers only.
    """
    if not standings:
        return []
    policies = ", ".join([_policy(one.scope, one.quota, one.limit, one.window_seconds) for one in standings])
    limits = ", ".join([_service_limit(one, retry_after_seconds) for one in standings])
    return [(b"ratelimit-policy", policies.encode("ascii")), (b"ratelimit", limits.encode("ascii"))]


@lru_cache(maxsize=1024)  # the same for every answer to a caller
def _policy(scope: ScopeKind, quota: QuotaName, limit: float, window_seconds: float) -> str:
    unit = _UNITS[quota]
    window = f";w={math.ceil(window_seconds)}" if window_seconds else ""
    named = "" if unit == "requests" else f';qu="{unit}"'
    return f"{_name(scope, quota)};q={_amount(quota, limit)}{named}{window}"


def _service_limit(standing: Standing, retry_after_seconds: float | None) -> str:
    limit = f"{_name(standing.scope, standing.quota)};r={_amount(standing.quota, standing.remaining)}"
    if not standing.window_seconds:
        return limit
    seconds = standing.reset_seconds
    if retry_after_seconds is not None:
        seconds = min(seconds, retry_after_seconds)
    return f"{limit};t={max(0, math.ceil(seconds))}"


@cache
def _name(scope: ScopeKind, quota: QuotaName) -> str:
    return f'"{scope}-{quota.replace("_", "-")}"'


def _amount(quota: QuotaName, value: float) -> int:
    scale = _MILLION if quota.startswith("budget") else 1
    return min(max(0, math.floor(value * scale)), _MOST)


def duration_text(seconds: float) -> str:
    """A time as OpenAI writes it, rounded up to a millisecond: ``20ms``, ``1.5s``, ``6m0s``, ``24h0m0s``."""
    milliseconds = math.ceil(max(0.0, seconds) * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, fraction = divmod(rest, 1000)
    text = f"{whole}" + (f".{fraction:03d}".rstrip("0") if fraction else "") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
