"""Who calls: a principal, what it may do, and what it may use."""

from __future__ import annotations

from typing import Literal

import msgspec

KEY_PREFIX = "podium_"
"""How the text of every key begins."""

Role = Literal["infer", "admin", "metrics"]
"""``infer``: generate, tokenize. ``admin``: load models, see everybody's usage, clear caches. ``metrics``: scrape."""

ROLES: tuple[Role, ...] = ("infer", "admin", "metrics")


class Quotas(msgspec.Struct, frozen=True, omit_defaults=True):
    """Upper bounds on use; None is no bound.

    Windows slide: in *any* 60 seconds, or 24 hours, no more than this many. Money is in the unit of the
    price table.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    concurrent_requests: int | None = None
    budget_per_day: float | None = None
    budget_per_30_days: float | None = None


class Principal(msgspec.Struct, frozen=True):
    """An authenticated caller.

    ``models`` None means every model; else names, without versions. ``weight`` is the tenant's share when
    requests wait (1 is the usual one), ``priority`` its class: a higher class is served first. ``allowance`` is
    the key whose quotas it uses, when that is not its own: a rotated key goes on where the old one is. ``uncounted``:
    the gateway asks with a copy of the caller's request; it counts in no quota, and no answer is kept or shared.
    """

    tenant: str
    key_id: str
    roles: frozenset[Role]
    models: frozenset[str] | None = None
    quotas: Quotas = Quotas()
    weight: float = 1.0
    priority: int = 0
    allowance: str | None = None
    uncounted: bool = False

    def may(self, role: Role) -> bool:
        """Whether it has ``role``; ``admin`` has every role."""
        return role in self.roles or "admin" in self.roles

    def may_use(self, model: str) -> bool:
        """Whether it may use the model of that name (no alias, no version)."""
        return self.models is None or model in self.models


ANONYMOUS_TENANT = "anonymous"

LOCAL = Principal(tenant=ANONYMOUS_TENANT, key_id=ANONYMOUS_TENANT, roles=frozenset(ROLES))
"""A caller without a key on this machine, where no keys exist: may do everything."""

STRANGER = Principal(tenant=ANONYMOUS_TENANT, key_id=ANONYMOUS_TENANT, roles=frozenset({"infer"}))
"""A caller without a key from anywhere, where ``access.anonymous`` is ``everywhere``: may generate."""
