"""Which limits apply to a caller's requests to a model."""

from __future__ import annotations

import msgspec

from podium.access.ledger import Limit
from podium.access.overrides import QuotaOverrides
from podium.access.prices import ANY, ModelPrice, Prices, budget_micro
from podium.access.usage import Payer
from podium.config.access import Access, QuotaLimits
from podium.core.identity import Principal, Quotas
from podium.core.standing import QuotaName, ScopeKind

NO_QUOTAS = Quotas()
MOST_PLANS = 10_000


class Plan(msgspec.Struct, frozen=True):
    """What holds for one caller and model: the limits, the price, and whether tokens matter before the end."""

    payer: Payer
    limits: tuple[Limit, ...]
    price: ModelPrice
    counts_tokens: bool

    def amounts(self, prompt_tokens: int, output_tokens: int) -> tuple[int, ...]:
        """What a computation of at most that many tokens asks of each limit."""
        used = self.price.used(prompt_tokens, output_tokens)
        return tuple(1 if limit.unit in ("request", "live") else used.amount(limit.unit) for limit in self.limits)


class Plans:
    """The plans of all callers, remembered until quotas change.

    The key's own quotas, else ``access.key_quotas``; for the tenant and for the model what was set while servers
    run, else the configuration's entry, for a tenant else that of ``*``. Each of these stands as a whole.
    """

    def __init__(self, settings: Access) -> None:
        self._prices = Prices(settings.prices)
        self._keys = _quotas(settings.key_quotas)
        self._tenants = {name: _quotas(limits) for name, limits in settings.tenants.items()}
        self._models = {name: _quotas(limits) for name, limits in settings.models.items()}
        self._plans: dict[tuple[str, str, str], tuple[Quotas, Plan]] = {}
        self._overrides = QuotaOverrides()

    def find(self, caller: Principal, model: str, overrides: QuotaOverrides) -> Plan:
        """The plan of ``caller`` for ``model`` (its name, no alias, no version)."""
        if overrides is not self._overrides:
            self._plans.clear()
            self._overrides = overrides
        key = (caller.tenant, caller.key_id, model)
        known = self._plans.get(key)
        if known is not None and known[0] == caller.quotas:
            return known[1]
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        plan = self._make(caller, model)
        self._plans[key] = (caller.quotas, plan)
        return plan

    def _make(self, caller: Principal, model: str) -> Plan:
        price = self._prices.of(model)
        limits = (
            *_limits(
                self._keys if caller.quotas == NO_QUOTAS else caller.quotas, "key", caller.allowance or caller.key_id
            ),
            *_limits(self._of_tenant(caller.tenant), "tenant", caller.tenant),
            *_limits(self._of_model(model), "model", model),
        )
        units = {limit.unit for limit in limits}
        counts = "tokens" in units or ("money" in units and not price.free)
        return Plan(Payer(caller.tenant, caller.key_id, model), limits, price, counts)

    def _of_tenant(self, tenant: str) -> Quotas:
        configured = self._tenants.get(tenant, self._tenants.get(ANY, NO_QUOTAS))
        return self._overrides.tenants.get(tenant, configured)

    def _of_model(self, model: str) -> Quotas:
        return self._overrides.models.get(model, self._models.get(model, NO_QUOTAS))


def _quotas(limits: QuotaLimits) -> Quotas:
    return Quotas(**limits.model_dump())


def _limits(quotas: Quotas, scope: ScopeKind, name: str) -> list[Limit]:
    whole: tuple[tuple[QuotaName, int | None], ...] = (
        ("requests_per_minute", quotas.requests_per_minute),
        ("tokens_per_minute", quotas.tokens_per_minute),
        ("tokens_per_day", quotas.tokens_per_day),
        ("concurrent_requests", quotas.concurrent_requests),
        ("budget_per_day", _micro(quotas.budget_per_day)),
        ("budget_per_30_days", _micro(quotas.budget_per_30_days)),
    )
    return [Limit.of(quota, scope, name, most) for quota, most in whole if most is not None]


def _micro(budget: float | None) -> int | None:
    return None if budget is None else budget_micro(budget)
