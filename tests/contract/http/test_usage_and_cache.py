"""Who used what, and what the response cache holds."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import Unavailable
from podium.core.identity import Principal, Role
from support.asgi import Answer, call
from support.http_doubles import FakeCache, FakeCacheUse, FakeGatekeeper, FakeUsage, FakeUsageRow, fake_backend

ROWS = [
    FakeUsageRow("acme", "k1", "demo", 3, 30, 12, 1, 0.25),
    FakeUsageRow("acme", "k1", "other/model", 1, 500, 9, 0, 0.1),
    FakeUsageRow("acme", "k2", "demo", 2, 20, 8, 2, 0.2),
    FakeUsageRow("beta", "k3", "demo", 9, 90, 36, 0, 0.7),
]


def principal(tenant: str, key_id: str, *roles: Role) -> Principal:
    return Principal(tenant=tenant, key_id=key_id, roles=frozenset(roles))


KEYS = {"user": principal("acme", "k1", "infer"), "admin": principal("ops", "k9", "admin")}


def usage(key: str, query: str = "", *, told: FakeUsage | None = None) -> Answer:
    app = create_app(fake_backend(usage=told or FakeUsage(list(ROWS)), gatekeeper=FakeGatekeeper(KEYS)))
    return call(app, "GET", "/usage", headers=[("host", "a"), ("x-api-key", key)], query=query)


def figures(requests: int, cached: int, prompt: int, output: int, cost: float) -> dict[str, Any]:
    return {
        "requests": requests,
        "cached_requests": cached,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "total_tokens": prompt + output,
        "cost": cost,
    }


def test_an_administrator_sees_every_key_and_the_most_tokens_first() -> None:
    assert usage("admin").json == {
        "since_seconds": 86_400.0,
        "by": "key",
        "usage": [
            {"tenant": "acme", "key_id": "k1", "model": None, **figures(4, 1, 530, 21, 0.35)},
            {"tenant": "beta", "key_id": "k3", "model": None, **figures(9, 0, 90, 36, 0.7)},
            {"tenant": "acme", "key_id": "k2", "model": None, **figures(2, 2, 20, 8, 0.2)},
        ],
        "total": figures(15, 3, 640, 65, 1.25),
    }


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("tenant", [("acme", None, None), ("beta", None, None)]),
        ("key", [("acme", "k1", None), ("beta", "k3", None), ("acme", "k2", None)]),
        ("model", [(None, None, "other/model"), (None, None, "demo")]),
    ],
)
def test_use_is_grouped_as_asked(by: str, names: list[tuple[str | None, str | None, str | None]]) -> None:
    body = usage("admin", f"by={by}").json
    assert [(group["tenant"], group["key_id"], group["model"]) for group in body["usage"]] == names
    assert sum(group["requests"] for group in body["usage"]) == body["total"]["requests"] == 15


def test_another_key_sees_its_own_use_only() -> None:
    told = FakeUsage(list(ROWS))
    body = usage("user", "by=model", told=told).json
    assert [(group["model"], group["requests"]) for group in body["usage"]] == [("other/model", 1), ("demo", 3)]
    assert told.asked == [(86_400.0, "acme", "k1")]


def test_an_administrator_may_ask_for_a_tenant() -> None:
    told = FakeUsage(list(ROWS))
    assert usage("admin", "tenant=beta", told=told).json["total"]["requests"] == 9
    assert told.asked == [(86_400.0, "beta", None)]


def test_another_key_may_name_its_own_tenant_and_no_other() -> None:
    assert usage("user", "tenant=acme").json["total"]["requests"] == 4
    answer = usage("user", "tenant=beta")
    assert (answer.status, answer.json["error"]["code"], answer.json["error"]["param"]) == (
        403,
        "permission_denied",
        "tenant",
    )
    assert answer.body.replace(b"req-", b"").count(b"beta") == 0


@pytest.mark.parametrize(
    ("since", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("24h", 86_400), ("30d", 2_592_000)]
)
def test_the_time_is_a_number_with_a_unit(since: str, seconds: float) -> None:
    told = FakeUsage()
    assert usage("admin", f"since={since}", told=told).json["since_seconds"] == seconds
    assert told.asked == [(seconds, None, None)]


@pytest.mark.parametrize("since", ["0h", "24", "h", "-1h", "1.5h", "31d", "1w", "99999999s", "24H", "%D9%A1h", "1h%0A"])
def test_another_time_is_refused_by_name(since: str) -> None:
    answer = usage("admin", f"since={since}")
    assert (answer.status, answer.json["error"]["param"]) == (400, "since")


def test_another_way_to_group_is_refused_by_name() -> None:
    answer = usage("admin", "by=colour")
    assert (answer.status, answer.json["error"]["param"]) == (400, "by")


def test_a_store_that_is_away_is_no_fault_of_the_caller() -> None:
    class Away(FakeUsage, FakeCache):
        async def usage(self, **_: object) -> list[FakeUsageRow]:
            raise Unavailable("The store does not answer. Try again later.", retry_after_seconds=1.0)

        async def clear(self, **_: object) -> int:
            raise Unavailable("The store does not answer. Try again later.", retry_after_seconds=1.0)

    for answer in (usage("admin", told=Away()), cache("DELETE", "/cache", Away())):
        assert (answer.status, answer.json["error"]["retryable"]) == (503, True)
        assert answer.headers["retry-after"] == "1"


def test_where_nothing_was_used_nothing_is_told() -> None:
    body = usage("admin", told=FakeUsage()).json
    assert (body["usage"], body["total"]) == ([], figures(0, 0, 0, 0, 0.0))


def cache(method: str, path: str, told: FakeCache, query: str = "") -> Answer:
    app = create_app(fake_backend(cache=told, gatekeeper=FakeGatekeeper(KEYS)))
    return call(app, method, path, headers=[("host", "a"), ("x-api-key", "admin")], query=query)


def test_the_cache_tells_what_it_holds_by_model_and_in_all() -> None:
    told = FakeCache(
        [
            FakeCacheUse("demo", 2, 150_000, {"hit": 2, "attach": 1, "miss": 1, "bypass": 5}),
            FakeCacheUse("other/model", 1, 50_000, {"miss": 4}),
        ]
    )
    assert cache("GET", "/cache/stats", told).json == {
        "keys": 3,
        "memory_bytes": 200_000,
        "memory_usage": "0.2 MB",
        "hit_rate": 0.375,
        "hits": 2,
        "semantic_hits": 0,
        "attaches": 1,
        "misses": 5,
        "bypasses": 5,
        "models": {
            "demo": {
                "keys": 2, "memory_bytes": 150_000, "memory_usage": "0.1 MB", "hit_rate": 0.75,
                "hits": 2, "semantic_hits": 0, "attaches": 1, "misses": 1, "bypasses": 5,
            },
            "other/model": {
                "keys": 1, "memory_bytes": 50_000, "memory_usage": "0.1 MB", "hit_rate": 0.0,
                "hits": 0, "semantic_hits": 0, "attaches": 0, "misses": 4, "bypasses": 0,
            },
        },
    }  # fmt: skip


def test_an_empty_cache_has_a_hit_rate_of_zero() -> None:
    body = cache("GET", "/cache/stats", FakeCache([])).json
    assert (body["keys"], body["hit_rate"], body["models"]) == (0, 0.0, {})


@pytest.mark.parametrize(
    ("query", "cleared"),
    [
        ("", (None, None)),
        ("model=demo", ("demo", None)),
        ("model=org/alias", ("demo", None)),
        ("tenant=acme", (None, "acme")),
        ("model=demo@1&tenant=acme", ("demo", "acme")),
    ],
)
def test_the_cache_forgets_what_is_asked(query: str, cleared: tuple[str | None, str | None]) -> None:
    told = FakeCache()
    assert cache("DELETE", "/cache", told, query).json == {"message": "7 answers forgotten", "cleared": 7}
    assert told.cleared == [cleared]


def test_answers_of_a_model_that_does_not_exist_are_not_forgotten() -> None:
    told = FakeCache()
    assert cache("DELETE", "/cache", told, "model=no/such").status == 404
    assert told.cleared == []


def test_answers_by_meaning_count_as_not_computed() -> None:
    cache = FakeCache([FakeCacheUse("demo", 1, 10, {"hit": 1, "semantic": 2, "miss": 1})])
    found = call(create_app(fake_backend(cache=cache)), "GET", "/cache/stats").json
    assert (found["hits"], found["semantic_hits"], found["hit_rate"]) == (1, 2, 0.75)
