from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podium.access import key_record
from podium.core.identity import Principal, Quotas
from support.keys import NOW, new_key


def test_a_record_is_what_it_was_after_a_way_through_json() -> None:
    _, record = new_key(
        roles=("admin",), models=("a", "b/c"), quotas=Quotas(tokens_per_day=3), weight=0.5, priority=2, note="ß",
        expires_at=NOW + 1, revoked_at=NOW + 2, rotated_from="0123456789abcdef",
    )  # fmt: skip
    assert key_record.decode(key_record.encode(record)) == record


def test_the_principal_has_the_rights_and_not_the_digest() -> None:
    _, record = new_key(roles=("infer", "metrics"), models=("demo",), quotas=Quotas(concurrent_requests=1), weight=2.0)
    principal = key_record.principal(record)
    assert principal == Principal(
        tenant="acme",
        key_id=record.id,
        roles=frozenset({"infer", "metrics"}),
        models=frozenset({"demo"}),
        quotas=Quotas(concurrent_requests=1),
        weight=2.0,
    )
    assert not principal.may("admin")
    assert principal.may_use("demo")
    assert not principal.may_use("other")


def test_a_key_is_valid_up_to_its_end_and_not_at_it() -> None:
    _, record = new_key(expires_at=NOW)
    assert record.is_valid(NOW - 0.001)
    assert not record.is_valid(NOW)
    assert (record.state(NOW - 1), record.state(NOW)) == ("active", "expired")


def test_a_revoked_key_is_never_valid() -> None:
    _, record = new_key(revoked_at=NOW, expires_at=NOW + 9)
    assert not record.is_valid(0)
    assert record.state(0) == "revoked"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "0123456789ABCDEF"},
        {"id": "0123456789abcdef\n"},
        {"digest": "AAAA"},
        {"tenant": ""},
        {"tenant": "a b"},
        {"tenant": "a\n"},
        {"roles": ["root"]},
        {"roles": "infer"},
        {"models": "demo"},
        {"weight": 0},
        {"weight": None},
        {"priority": 1.5},
        {"expires_at": "soon"},
        {"created_at": None},
        {"only_from": "10.0.0.0/8"},
    ],
    ids=str,
)
def test_a_record_that_is_not_in_order_is_none(wrong: dict[str, Any]) -> None:
    _, record = new_key()
    good = msgspec.json.decode(key_record.encode(record))
    assert key_record.decode(msgspec.json.encode(good)) == record
    assert key_record.decode(msgspec.json.encode({**good, **wrong})) is None


@pytest.mark.parametrize("text", [b"", b"\xff", b"[" * 100_000, "é", '"' + "\ud800" + '"'])
def test_what_is_no_record_is_none(text: bytes | str) -> None:
    assert key_record.decode(text) is None


@pytest.mark.parametrize(
    ("name", "fits"), [("acme", True), ("a@b.c", True), ("anonymous", False), ("-a", False), ("a/b", False)]
)
def test_a_tenant_has_a_plain_name_of_its_own(name: str, *, fits: bool) -> None:
    assert key_record.is_tenant_name(name) == fits
