"""What a caller is told when a quota leaves no room."""

from __future__ import annotations

import math

from podium.access.ledger import MICRO, Limit, Refused
from podium.core.errors import QuotaExhausted, RateLimited
from podium.core.standing import QuotaName, ScopeKind

_OWNERS: dict[ScopeKind, str] = {"key": "this key", "tenant": "this tenant", "model": "this model"}
_SPANS: dict[QuotaName, str] = {
    "requests_per_minute": "in any 60 seconds",
    "tokens_per_minute": "in any 60 seconds",
    "tokens_per_day": "in any 24 hours",
    "concurrent_requests": "at the same time",
    "budget_per_day": "in any 24 hours",
    "budget_per_30_days": "in any 30 days",
}
_LONG: frozenset[QuotaName] = frozenset({"tokens_per_day", "budget_per_day", "budget_per_30_days"})


def error_of(refused: Refused) -> RateLimited:
    """The error for a refusal: ``QuotaExhausted`` where no wait of a minute helps."""
    limit, wait = refused.limit, refused.retry_after_seconds
    if wait is None:
        return QuotaExhausted(_too_large(limit, refused.amount), standings=refused.standings)
    kind = QuotaExhausted if limit.quota in _LONG else RateLimited
    return kind(_no_room(refused, limit, wait), retry_after_seconds=wait, standings=refused.standings)


def _too_large(limit: Limit, amount: int) -> str:
    advice = "Give a smaller max_tokens or a shorter prompt"
    return (
        f"This request may use up to {_amount(limit, amount)}, which is more than {_OWNERS[limit.scope]} may use at "
        f"all {_SPANS[limit.quota]}: {_amount(limit, limit.most)}. {advice}, or ask for a larger quota."
    )


def _no_room(refused: Refused, limit: Limit, wait: float) -> str:
    owner, span = _OWNERS[limit.scope], _SPANS[limit.quota]
    local = " (the shared count is away; this is one server's share)" if refused.local else ""
    asked = (
        "" if limit.unit in ("request", "live") else f" This request may use up to {_amount(limit, refused.amount)}."
    )
    advice = "" if not asked else ", or give a smaller max_tokens"
    return (
        f"The quota of {owner} is used up: {_amount(limit, limit.most)} {span}{local}.{asked} "
        f"Try again in {max(1, math.ceil(wait))} s{advice}."
    )


def _amount(limit: Limit, amount: int) -> str:
    match limit.unit:
        case "tokens":
            return f"{amount} tokens"
        case "money":
            return "a cost of " + f"{amount / MICRO:f}".rstrip("0").rstrip(".")
        case _:
            return f"{amount} requests" if amount != 1 else "1 request"
