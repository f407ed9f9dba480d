"""Who is let in, as whom, and that every refusal reads the same."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.access import api_keys, gatekeeper
from podium.access.gatekeeper import Gatekeeper
from podium.access.key_directory import KeyDirectory
from podium.access.key_record import KeyRecord, principal
from podium.access.run_keys import read_run_key
from podium.access.tokens import TokenRefused, TokenVerifier
from podium.config.access import Access
from podium.core.errors import ConfigurationError, Unauthenticated, Unavailable
from podium.core.identity import LOCAL, STRANGER, Principal
from support.keys import NOW, new_key

SOMEONE = Principal(tenant="acme", key_id="jwt:0", roles=frozenset({"infer"}))


class Directory:
    """Keys that are simply there."""

    def __init__(self, *records: KeyRecord, loaded: bool = True) -> None:
        self.records = {record.id: record for record in records}
        self.loaded = loaded
        self.has_keys = bool(records)

    def find(self, key_id: str) -> KeyRecord | None:
        return self.records.get(key_id)


class Tokens:
    """Accepts one token."""

    loaded = True

    def verify(self, token: str) -> Principal:
        if token != "good.token.here":
            raise TokenRefused
        return SOMEONE


def keeper(
    *records: KeyRecord, anonymous: str = "never", loaded: bool = True, tokens: Any = None, now: float = NOW
) -> Gatekeeper:
    directory: KeyDirectory = Directory(*records, loaded=loaded)  # type: ignore[assignment]
    verifier: TokenVerifier | None = tokens
    access = Access(anonymous=anonymous)
    return Gatekeeper(access, directory, verifier, clock=lambda: now)


def refused(asked: Gatekeeper, *credentials: str, local: bool = True) -> bool:
    try:
        asked.identify(credentials, local=local)
    except Unauthenticated as error:
        return (error.message, error.param) == (gatekeeper.REFUSAL, None)
    return False


def test_a_key_is_its_principal_wherever_it_comes_from() -> None:
    text, record = new_key(roles=("metrics",))
    for anonymous, local in itertools.product(("never", "loopback", "everywhere"), (True, False)):
        assert keeper(record, anonymous=anonymous).identify([text], local=local) == principal(record)


def test_the_same_key_in_two_headers_is_one_key_and_two_keys_are_none() -> None:
    first, first_record = new_key()
    second, second_record = new_key()
    asked = keeper(first_record, second_record, anonymous="everywhere", tokens=Tokens())
    assert asked.identify([first, first], local=False).key_id == first_record.id
    assert refused(asked, first, second)
    assert refused(asked, first, "")
    assert refused(asked, first, "good.token.here")
    assert refused(asked, first, first + "x")


def test_keys_end_by_time_and_by_revocation() -> None:
    text, record = new_key(expires_at=NOW + 10)
    assert not refused(keeper(record, now=NOW + 9.9), text)
    assert refused(keeper(record, now=NOW + 10), text)
    revoked_text, revoked = new_key(revoked_at=NOW - 1)
    assert refused(keeper(revoked, anonymous="everywhere"), revoked_text)


@pytest.mark.parametrize("anonymous", ["never", "loopback", "everywhere"])
def test_a_wrong_credential_is_refused_for_every_cause_with_one_text(anonymous: str) -> None:
    text, record = new_key()
    other, _ = new_key()
    same_id = f"podium_{record.id}_{other[-43:]}"
    asked = keeper(record, anonymous=anonymous)
    for wrong in (
        other,
        same_id,
        text.upper(),
        text[:-1],
        text + " ",
        f" {text}",
        "x",
        "",
        "é" * 67,
        "a.b.c",
        "\0",
        text + "é",
    ):
        assert refused(asked, wrong)
        assert refused(asked, wrong, local=False)


def test_without_a_key_the_policy_decides() -> None:
    _, record = new_key()
    expected: dict[tuple[str, bool, bool], Principal | None] = {
        # policy, local, keys exist
        ("never", True, False): None,
        ("never", True, True): None,
        ("never", False, False): None,
        ("never", False, True): None,
        ("loopback", True, False): LOCAL,
        ("loopback", True, True): None,
        ("loopback", False, False): None,
        ("loopback", False, True): None,
        ("everywhere", True, False): LOCAL,
        ("everywhere", True, True): STRANGER,
        ("everywhere", False, False): STRANGER,
        ("everywhere", False, True): STRANGER,
    }
    for (anonymous, local, has_keys), who in expected.items():
        asked = keeper(*([record] if has_keys else []), anonymous=anonymous)
        if who is None:
            assert refused(asked, local=local)
        else:
            assert asked.identify([], local=local) is who


def test_an_issuer_closes_the_server_like_a_key_does() -> None:
    assert refused(keeper(anonymous="loopback", tokens=Tokens()), local=True)
    assert keeper(anonymous="everywhere", tokens=Tokens()).identify([], local=True) is STRANGER


def test_a_key_that_was_revoked_leaves_the_server_closed() -> None:
    _, revoked = new_key(revoked_at=NOW)
    assert refused(keeper(revoked, anonymous="loopback"), local=True)


def test_as_long_as_nothing_can_be_checked_what_clients_must_send_counts_as_nothing() -> None:
    """OpenAI's client does not start without a key, whatever it is."""
    for dummy in ("none", "sk-1234", "", "a.b.c", "Basic dTpw"):
        assert keeper(anonymous="loopback").identify([dummy], local=True) is LOCAL
        assert keeper(anonymous="everywhere").identify([dummy, "x"], local=False) is STRANGER
        assert refused(keeper(anonymous="loopback"), dummy, local=False)
        assert refused(keeper(anonymous="never"), dummy, local=True)


def test_a_key_of_ours_is_never_passed_over() -> None:
    text, _ = new_key()
    for ours in (text, "podium_", text[:-1]):
        assert refused(keeper(anonymous="loopback"), ours)
        assert refused(keeper(anonymous="everywhere"), ours, "none")


def test_tokens_are_checked_where_there_is_an_issuer() -> None:
    text, record = new_key()
    asked = keeper(record, tokens=Tokens())
    assert asked.identify(["good.token.here"], local=False) is SOMEONE
    assert asked.identify([text], local=False).key_id == record.id
    assert refused(asked, "bad.token.here")
    assert refused(keeper(record), "good.token.here")


def test_before_the_keys_were_read_nobody_is_told_that_its_key_is_wrong() -> None:
    text, _ = new_key()
    asked = keeper(anonymous="everywhere", loaded=False)
    with pytest.raises(Unavailable) as caught:
        asked.identify([text], local=False)
    assert caught.value.retry_after_seconds == 1.0
    with pytest.raises(Unavailable):
        asked.identify([], local=True)
    assert asked.identify([], local=False) is STRANGER
    for wrong in ("", "none", "podium_", text[:-1], "é"):
        assert refused(asked, wrong, local=True), "what is no key at all is wrong at any time"


def test_it_is_ready_once_callers_can_be_told_apart_or_need_not_be() -> None:
    tokens = Tokens()
    assert keeper(tokens=tokens).ready
    assert not keeper(loaded=False).ready
    assert keeper(loaded=False, anonymous="everywhere").ready
    tokens.loaded = False
    assert not keeper(tokens=tokens).ready


def test_before_the_issuers_keys_were_read_tokens_are_neither_right_nor_wrong() -> None:
    tokens = Tokens()
    tokens.loaded = False
    _, record = new_key()
    with pytest.raises(Unavailable):
        keeper(record, tokens=tokens).identify(["good.token.here"], local=False)


def test_an_unknown_id_costs_what_a_known_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    text, record = new_key()
    compared: list[tuple[str, bytes]] = []

    def matches(given: str, digest: bytes) -> bool:
        compared.append((given, digest))
        return False

    monkeypatch.setattr(api_keys, "matches", matches)
    other, _ = new_key()
    for wrong in (text, other, "x", ""):
        assert refused(keeper(record), wrong)
    assert [given for given, _ in compared] == [text, other, "x", ""]
    assert {digest for _, digest in compared[1:]} == {api_keys.NO_DIGEST}


@settings(max_examples=500)
@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255)), min_size=1, max_size=3))
def test_no_bytes_of_a_header_are_more_than_a_refusal(credentials: list[str]) -> None:
    _, record = new_key()
    assert refused(keeper(record, anonymous="everywhere", tokens=Tokens()), *credentials)


def test_the_key_of_the_monitor_reads_metrics_and_nothing_else(tmp_path: Path) -> None:
    text, file = api_keys.mint().text, tmp_path / "metrics.key"
    file.write_text(text + "\n")
    access = Access(anonymous="never", metrics_key_file=str(file))
    for directory in (Directory(), Directory(new_key()[1]), Directory(loaded=False)):
        asked = Gatekeeper(access, directory, Tokens(), clock=lambda: NOW)  # type: ignore[arg-type]
        found = asked.identify([text], local=False)
        assert found.may("metrics")
        assert not found.may("infer")
        assert not found.may("admin")
        assert refused(asked, text[:-1] + "~")


@pytest.mark.parametrize("content", [None, b"", b"hello\n", b"\xff\xfe"])
def test_a_file_without_a_key_for_the_monitor_stops_the_program(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "metrics.key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="metrics_key_file"):
        read_run_key(str(file), "access.metrics_key_file")


def test_without_such_a_file_nobody_is_the_monitor() -> None:
    assert read_run_key("", "access.metrics_key_file") is None
    assert refused(keeper(), api_keys.mint().text)


def test_who_was_known_earlier_has_the_rights_of_now() -> None:
    _, record = new_key(roles=("infer", "admin"), priority=5)
    earlier = Principal(tenant="acme", key_id=record.id, roles=frozenset({"infer"}))
    assert keeper(record).renewed(earlier) == principal(record)
    assert keeper(tokens=Tokens()).renewed(SOMEONE) == SOMEONE
    assert keeper(anonymous="loopback").renewed(LOCAL) == LOCAL
    assert keeper(anonymous="everywhere").renewed(STRANGER) == STRANGER


@pytest.mark.parametrize("change", [{"revoked_at": NOW}, {"expires_at": NOW}, {"tenant": "other"}, {"id": "0" * 16}])
def test_who_was_known_earlier_and_has_no_valid_key_any_more_is_refused(change: dict[str, Any]) -> None:
    _, record = new_key()
    asked = keeper(msgspec.structs.replace(record, **change))
    with pytest.raises(Unauthenticated, match=gatekeeper.REFUSAL):
        asked.renewed(principal(record))
    with pytest.raises(Unauthenticated):
        keeper(record).renewed(SOMEONE)
    with pytest.raises(Unauthenticated):
        keeper(record, anonymous="loopback").renewed(LOCAL)
    with pytest.raises(Unavailable):
        keeper(loaded=False).renewed(principal(record))
