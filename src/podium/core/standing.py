"""How a caller stands with one of its quotas."""

from __future__ import annotations

from typing import Literal

import msgspec

QuotaName = Literal[
    "requests_per_minute",
    "tokens_per_minute",
    "tokens_per_day",
    "concurrent_requests",
    "budget_per_day",
    "budget_per_30_days",
]
"""The members of ``podium.core.identity.Quotas``."""

ScopeKind = Literal["key", "tenant", "model"]
CacheStatus = Literal["hit", "semantic", "miss", "attach", "bypass"]
"""``hit``: a kept answer. ``semantic``: one to a question that means the same. ``attach``: one in the
making. ``miss``: computed, could be kept. ``bypass``: not asked."""


class Standing(msgspec.Struct, frozen=True):
    """One quota after a request was admitted or refused.

    ``reset_seconds`` is when all of it will be free again if nothing else comes; ``window_seconds`` is 0 for
    concurrency. Money is in the unit of the price table.
    """

    quota: QuotaName
    scope: ScopeKind
    limit: float
    remaining: float
    reset_seconds: float
    window_seconds: float
