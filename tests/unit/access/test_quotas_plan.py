"""Which limits apply to whom."""

from __future__ import annotations

import pytest

from podium.access.ledger import MOST, Limit
from podium.access.overrides import QuotaOverrides
from podium.access.quotas_plan import Plan, Plans
from podium.config.access import Access, Price, QuotaLimits
from podium.core.identity import LOCAL, Principal, Quotas

CALLER = Principal(tenant="acme", key_id="k1", roles=frozenset({"infer"}))
NOTHING_SET = QuotaOverrides()


def _limits(plan: Plan) -> set[tuple[str, str, str, int]]:
    return {(limit.quota, limit.scope, limit.name, limit.most) for limit in plan.limits}


def _plan(access: Access, caller: Principal = CALLER, overrides: QuotaOverrides = NOTHING_SET) -> Plan:
    return Plans(access).find(caller, "echo", overrides)


def test_without_quotas_there_are_no_limits_and_tokens_do_not_matter() -> None:
    plan = _plan(Access(tenants={"other": QuotaLimits(tokens_per_day=1)}, models={"x": QuotaLimits(tokens_per_day=1)}))
    assert plan.limits == ()
    assert not plan.counts_tokens


def test_every_quota_is_a_limit_of_its_scope() -> None:
    every = QuotaLimits(
        requests_per_minute=1,
        tokens_per_minute=2,
        tokens_per_day=3,
        concurrent_requests=4,
        budget_per_day=0.5,
        budget_per_30_days=6,
    )
    plan = _plan(Access(key_quotas=every, tenants={"acme": every}, models={"echo": every}))
    amounts = {
        ("requests_per_minute", 1),
        ("tokens_per_minute", 2),
        ("tokens_per_day", 3),
        ("concurrent_requests", 4),
        ("budget_per_day", 500_000),
        ("budget_per_30_days", 6_000_000),
    }
    names = {("key", "k1"), ("tenant", "acme"), ("model", "echo")}
    assert _limits(plan) == {(quota, scope, name, most) for quota, most in amounts for scope, name in names}
    assert len(plan.limits) == 18


def test_a_rotated_key_uses_the_allowance_of_its_line_and_is_told_apart_in_usage() -> None:
    access = Access(key_quotas=QuotaLimits(tokens_per_day=5))
    plan = _plan(access, Principal(tenant="acme", key_id="k2", roles=frozenset(), allowance="k1"))
    assert _limits(plan) == {("tokens_per_day", "key", "k1", 5)}
    assert plan.payer.key_id == "k2"


def test_a_keys_own_quotas_stand_in_place_of_the_default_as_a_whole() -> None:
    access = Access(key_quotas=QuotaLimits(tokens_per_day=5))
    assert _limits(_plan(access)) == {("tokens_per_day", "key", "k1", 5)}
    own = Principal(tenant="acme", key_id="k1", roles=frozenset(), quotas=Quotas(requests_per_minute=7))
    assert _limits(_plan(access, own)) == {("requests_per_minute", "key", "k1", 7)}


def test_a_tenant_has_its_entry_or_that_of_the_star_and_what_was_set_stands_above_both() -> None:
    access = Access(tenants={"acme": QuotaLimits(tokens_per_day=1), "*": QuotaLimits(tokens_per_day=2)})
    other = Principal(tenant="other", key_id="k", roles=frozenset())
    assert _limits(_plan(access)) == {("tokens_per_day", "tenant", "acme", 1)}
    assert _limits(_plan(access, other)) == {("tokens_per_day", "tenant", "other", 2)}
    for caller in (CALLER, other):
        name = caller.tenant
        overrides = QuotaOverrides(tenants={name: Quotas(requests_per_minute=9)})
        assert _limits(_plan(access, caller, overrides)) == {("requests_per_minute", "tenant", name, 9)}


def test_a_model_has_its_entry_and_what_was_set_stands_above_it() -> None:
    access = Access(models={"echo": QuotaLimits(concurrent_requests=3)})
    assert _limits(_plan(access)) == {("concurrent_requests", "model", "echo", 3)}
    overrides = QuotaOverrides(models={"echo": Quotas(concurrent_requests=5)})
    assert _limits(_plan(access, CALLER, overrides)) == {("concurrent_requests", "model", "echo", 5)}


def test_a_change_of_quotas_is_seen_by_the_next_request() -> None:
    plans = Plans(Access())
    assert plans.find(CALLER, "echo", NOTHING_SET).limits == ()
    changed = QuotaOverrides(tenants={"acme": Quotas(tokens_per_day=1)})
    assert _limits(plans.find(CALLER, "echo", changed)) == {("tokens_per_day", "tenant", "acme", 1)}
    assert plans.find(CALLER, "echo", QuotaOverrides()).limits == ()
    richer = Principal(tenant="acme", key_id="k1", roles=frozenset(), quotas=Quotas(tokens_per_day=8))
    assert _limits(plans.find(richer, "echo", NOTHING_SET)) == {("tokens_per_day", "key", "k1", 8)}


def test_an_unchanged_plan_is_not_made_anew() -> None:
    plans = Plans(Access(key_quotas=QuotaLimits(tokens_per_day=5)))
    again = Principal(tenant="acme", key_id="k1", roles=frozenset({"infer"}))
    assert plans.find(CALLER, "echo", NOTHING_SET) is plans.find(again, "echo", NOTHING_SET)


def test_remembered_plans_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podium.access.quotas_plan.MOST_PLANS", 10)
    plans = Plans(Access())
    for number in range(100):
        plans.find(Principal(tenant="acme", key_id=str(number), roles=frozenset()), "echo", NOTHING_SET)
    assert len(plans._plans) <= 10


def test_anonymous_callers_have_key_limits_only_where_there_are_default_ones() -> None:
    assert _limits(_plan(Access(tenants={"*": QuotaLimits(tokens_per_day=2)}), LOCAL)) == {
        ("tokens_per_day", "tenant", "anonymous", 2)
    }
    assert _limits(_plan(Access(key_quotas=QuotaLimits(tokens_per_day=2)), LOCAL)) == {
        ("tokens_per_day", "key", "anonymous", 2)
    }


@pytest.mark.parametrize(
    ("quotas", "price", "counts"),
    [
        (QuotaLimits(requests_per_minute=1, concurrent_requests=1), Price(input_per_million=1), False),
        (QuotaLimits(tokens_per_minute=1), Price(), True),
        (QuotaLimits(tokens_per_day=1), Price(), True),
        (QuotaLimits(budget_per_day=1), Price(), False),
        (QuotaLimits(budget_per_day=1), Price(input_per_million=1), True),
        (QuotaLimits(budget_per_30_days=1), Price(output_per_million=1), True),
    ],
)
def test_tokens_matter_where_tokens_or_priced_money_are_bounded(
    quotas: QuotaLimits, price: Price, *, counts: bool
) -> None:
    assert _plan(Access(key_quotas=quotas, prices={"*": price})).counts_tokens is counts


def test_a_request_asks_for_its_worst_case_of_each_unit() -> None:
    every = QuotaLimits(requests_per_minute=1, tokens_per_minute=1, concurrent_requests=1, budget_per_day=1)
    plan = _plan(Access(key_quotas=every, prices={"echo": Price(input_per_million=2, output_per_million=3)}))
    asked = dict(zip([limit.quota for limit in plan.limits], plan.amounts(10, 20), strict=True))
    assert asked == {
        "requests_per_minute": 1,
        "tokens_per_minute": 30,
        "concurrent_requests": 1,
        "budget_per_day": 80,
    }


def test_a_limit_is_at_most_what_can_be_counted_exactly() -> None:
    assert Limit.of("tokens_per_day", "key", "k", 10**30).most == MOST
