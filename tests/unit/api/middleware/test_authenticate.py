from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture

from podium.api.admin_app import create_admin_app
from podium.api.app import create_app
from podium.api.middleware.authenticate import credentials_in
from podium.api.principal import principal_of
from podium.config.server import Server
from podium.core.errors import Unavailable
from podium.core.identity import LOCAL, STRANGER, Principal
from support.asgi import JSON_HEADERS, Answer, call, scope_of
from support.http_doubles import COPY_KEY, FakeDispatcher, FakeGatekeeper, fake_backend
from support.quiet_logs import captured_logs

KEY = "podium_key-of-acme"
ACME = Principal(tenant="acme", key_id="0123456789abcdef", roles=frozenset({"infer"}))


def ask(gatekeeper: FakeGatekeeper, *headers: tuple[str, str], method: str = "GET", path: str = "/version") -> Answer:
    app = create_app(fake_backend(gatekeeper=gatekeeper))
    return call(app, method, path, headers=[*JSON_HEADERS, *headers])


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer {KEY}"),
        ("authorization", f"BEARER   {KEY} "),
        ("x-api-key", KEY),
        ("x-api-key", f" {KEY}\t"),
    ],
)
def test_a_key_is_taken_from_either_header(header: tuple[str, str]) -> None:
    gatekeeper = FakeGatekeeper({KEY: ACME}, anonymous=None)
    assert ask(gatekeeper, header).status == 200
    assert gatekeeper.asked[0][0] == (KEY,)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], []),
        ([("authorization", "")], [""]),
        ([("authorization", "Bearer")], [""]),
        ([("authorization", "Basic dTpw")], ["Basic dTpw"]),
        ([("authorization", f"Token {KEY}")], [f"Token {KEY}"]),
        ([("authorization", KEY)], [KEY]),
        ([("authorization", f"Bearer {KEY} x")], [f"{KEY} x"]),
        ([("authorization", f"Bearer {KEY}\u00a0")], [f"{KEY}\u00a0"]),
        ([("authorization", f"Bearer\u00a0{KEY}")], [f"Bearer\u00a0{KEY}"]),
        ([("authorization", "Bearer a"), ("x-api-key", "b"), ("authorization", "Bearer c")], ["a", "b", "c"]),
        ([("x-api-key", ""), ("x-api-key", "\u00e9")], ["", "\u00e9"]),
    ],
)
def test_everything_that_is_sent_as_a_credential_is_judged(headers: list[tuple[str, str]], found: list[str]) -> None:
    assert credentials_in(scope_of("GET", "/", headers)) == found


def test_keys_elsewhere_are_not_looked_for() -> None:
    gatekeeper = FakeGatekeeper({KEY: ACME}, anonymous=None)
    app = create_app(fake_backend(gatekeeper=gatekeeper))
    headers = [*JSON_HEADERS, ("cookie", f"key={KEY}"), ("proxy-authorization", f"Bearer {KEY}"), ("api-key", KEY)]
    assert call(app, "GET", "/version", headers=headers, query=f"key={KEY}&x-api-key={KEY}").status == 401


def test_the_route_gets_the_principal() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(gatekeeper=FakeGatekeeper({KEY: ACME}), dispatcher=dispatcher))
    headers = [*JSON_HEADERS, ("x-api-key", KEY)]
    assert call(app, "POST", "/generate", {"prompt": "x"}, headers=headers).status == 200
    assert dispatcher.requests[0].caller == ACME


def test_without_authentication_there_is_no_principal_to_be_had() -> None:
    with pytest.raises(RuntimeError, match="this is a bug"):
        principal_of(scope_of("GET", "/", []))


def test_probes_ask_nobody() -> None:
    gatekeeper = FakeGatekeeper(anonymous=None)
    for path in ("/startupz", "/livez", "/readyz"):
        assert ask(gatekeeper, ("authorization", "Bearer wrong"), path=path).status == 200
    assert gatekeeper.asked == []


def test_a_wrong_key_is_401_and_a_key_without_the_role_403_in_both_dialects() -> None:
    gatekeeper = FakeGatekeeper({KEY: ACME}, anonymous=STRANGER)
    wrong, known = ("authorization", "Bearer wrong"), ("authorization", f"Bearer {KEY}")
    native, openai = ask(gatekeeper, wrong), ask(gatekeeper, wrong, path="/v1/models")
    assert (native.status, native.json["error"]["code"]) == (401, "invalid_api_key")
    assert (openai.status, openai.json["error"]["type"]) == (401, "authentication_error")
    assert native.headers["www-authenticate"] == openai.headers["www-authenticate"] == "Bearer"
    refused = ask(gatekeeper, known, method="POST", path="/models/demo/unload")
    assert (refused.status, refused.json["error"]["code"]) == (403, "permission_denied")
    assert "podium keys create --role admin" in refused.json["error"]["message"]
    assert ask(gatekeeper, method="POST", path="/models/demo/unload").status == 403, "a stranger may not either"


def test_a_server_that_has_not_read_its_keys_says_so_with_503() -> None:
    class Unready(FakeGatekeeper):
        def identify(self, credentials: object, *, local: bool) -> Principal:  # noqa: ARG002
            raise Unavailable("Not yet.", retry_after_seconds=1.0)

    answer = ask(Unready())
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_it_is_told_whether_the_caller_is_local() -> None:
    gatekeeper = FakeGatekeeper(anonymous=LOCAL)
    backend = fake_backend(gatekeeper=gatekeeper, server=Server(admin_host="0.0.0.0"))  # noqa: S104
    apps = create_app(backend), create_admin_app(backend)
    for app, host in ((apps[0], "localhost:1"), (apps[0], "a.example"), (apps[1], "localhost:1")):
        call(app, "GET", "/metrics", headers=[("host", host)])
    assert [local for _, local in gatekeeper.asked] == [True, False, False]


def test_browsers_that_ask_before_they_call_need_no_key() -> None:
    """A preflight has none, and is answered before authentication."""
    backend = fake_backend(
        gatekeeper=FakeGatekeeper(anonymous=None), server=Server(cors_origins=("https://app.example",))
    )
    headers = [("host", "a"), ("origin", "https://app.example"), ("access-control-request-method", "POST")]
    answer = call(create_app(backend), "OPTIONS", "/generate", headers=headers)
    assert answer.status == 200
    assert call(create_app(replace(backend)), "OPTIONS", "/generate", headers=[("host", "a")]).status == 401


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([b"authorization", b"x-api-key"]), st.binary(max_size=60)), min_size=1, max_size=3
    )
)
def test_no_bytes_in_a_credential_are_a_server_error_or_appear_anywhere(headers: list[tuple[bytes, bytes]]) -> None:
    app = create_app(fake_backend(gatekeeper=FakeGatekeeper({KEY: ACME}, anonymous=None)))
    marked = [(name.decode(), (value + b"planted").decode("latin-1")) for name, value in headers]
    with captured_logs() as log:
        answer = call(app, "GET", "/version", headers=[("host", "a"), *marked])
    assert answer.status == 401
    assert b"planted" not in answer.body
    assert "planted" not in str(log.entries)


def test_a_request_that_was_refused_is_logged_without_its_key(log: LogCapture) -> None:
    ask(FakeGatekeeper(anonymous=None), ("authorization", "Bearer planted-key"))
    assert [entry["error_code"] for entry in log.entries if entry["event"] == "request"] == ["invalid_api_key"]
    assert "planted" not in str(log.entries)


@pytest.mark.parametrize(
    ("path", "status"), [("/version", 200), ("/readyz", 200), ("/no-such-thing", 404), ("/cache/stats", 403)]
)
def test_a_copy_that_bears_the_gateways_mark_is_the_callers_and_every_answer_says_that_it_counts_nowhere(
    path: str, status: int
) -> None:
    answer = ask(
        FakeGatekeeper({KEY: ACME}, anonymous=None), ("x-api-key", KEY), ("x-podium-shadow", COPY_KEY), path=path
    )
    assert (answer.status, answer.headers["x-podium-shadow"]) == (status, "counts-nowhere")


def test_the_mark_opens_nothing_and_makes_its_caller_uncounted_and_last() -> None:
    assert ask(FakeGatekeeper(anonymous=None), ("x-podium-shadow", COPY_KEY)).status == 401
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({KEY: ACME})))
    headers = [*JSON_HEADERS, ("x-api-key", KEY), ("x-podium-shadow", COPY_KEY)]
    assert call(app, "POST", "/v1/completions", {"prompt": "x"}, headers=headers).status == 200
    (caller,) = [request.caller for request in dispatcher.requests]
    assert (caller.tenant, caller.uncounted) == ("acme", True)
    assert caller.priority < LOCAL.priority


@pytest.mark.parametrize("marks", [["mine"], [""], [COPY_KEY, COPY_KEY]])
@pytest.mark.parametrize("path", ["/version", "/readyz"])
def test_another_mark_is_refused_and_not_passed_over(marks: list[str], path: str) -> None:
    answer = ask(FakeGatekeeper(), *[("x-podium-shadow", mark) for mark in marks], path=path)
    assert answer.status == 403
    assert "x-podium-shadow" not in answer.headers
