"""A local caller is a program on this machine that meant to call, not a page, and not somebody behind a proxy."""

from __future__ import annotations

import pytest

from podium.api.locality import Locality
from support.asgi import scope_of

HOST = ("host", "127.0.0.1:8000")


def is_local(*headers: tuple[str, str], listens: str = "127.0.0.1", origins: tuple[str, ...] = ()) -> bool:
    return Locality(listens, origins)(scope_of("POST", "/generate", headers))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8000", "127.9.9.9:80"]
)
def test_a_name_of_this_machine_is_local(host: str) -> None:
    assert is_local(("host", host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#127.0.0.1",
        "127.0.0.1/",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.1",
        "2130706433",
        "0.0.0.0",  # noqa: S104
        "[::]",
        "::1",
        "[fe80::1]",
        "10.0.0.1",
        "",
        " localhost",
        "localhost\n",
        "l\u00f6calhost",
        "[::1",
    ],
)
def test_any_other_name_is_not_although_it_may_lead_here(host: str) -> None:
    """A site can point a name of its own to 127.0.0.1 and let a browser call it."""
    assert not is_local(("host", host))


def test_exactly_one_host_is_needed() -> None:
    assert not is_local()
    assert not is_local(HOST, HOST)
    assert not is_local(HOST, ("host", "evil.example"))


@pytest.mark.parametrize("listens", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])  # noqa: S104
def test_a_server_that_listens_to_others_has_no_local_callers(listens: str) -> None:
    assert not is_local(HOST, listens=listens)


@pytest.mark.parametrize("listens", ["127.0.0.1", "::1", "localhost"])
def test_a_server_on_loopback_has(listens: str) -> None:
    assert is_local(HOST, listens=listens)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "null", "", "file://", "x", "http://[::1"]
)
def test_a_page_of_another_site_is_not_local(origin: str) -> None:
    """A form can be posted from anywhere without asking, and unloading a model takes no body."""
    assert not is_local(HOST, ("origin", origin))
    assert not is_local(HOST, ("origin", "http://127.0.0.1"), ("origin", origin))


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8000", "http://localhost:3000", "https://[::1]:1", "http://LOCALHOST"]
)
def test_a_page_of_this_machine_is(origin: str) -> None:
    assert is_local(HOST, ("origin", origin))


def test_a_page_of_a_configured_origin_is() -> None:
    page = ("origin", "https://app.example")
    assert is_local(HOST, page, ("sec-fetch-site", "cross-site"), origins=("https://app.example",))
    assert not is_local(HOST, page, origins=("https://other.example", "*"))


def test_a_browser_that_says_where_the_request_comes_from_is_believed() -> None:
    assert not is_local(HOST, ("sec-fetch-site", "cross-site"))
    for honest in ("none", "same-origin", "same-site"):
        assert is_local(HOST, ("sec-fetch-site", honest))


@pytest.mark.parametrize(
    "header",
    [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.7"),
        ("x-forwarded-for", "203.0.113.7, 127.0.0.1"),
        ("x-forwarded-for", ""),
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-host", "podium.example"),
        ("x-real-ip", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
    ],
)
def test_a_proxy_that_speaks_for_somebody_else_is_not_local(header: tuple[str, str]) -> None:
    assert not is_local(HOST, header)
    assert not is_local(HOST, ("x-forwarded-for", "127.0.0.1"), header)


def test_a_proxy_that_speaks_for_this_machine_is() -> None:
    assert is_local(HOST, ("x-forwarded-for", "127.0.0.1"))
    assert is_local(HOST, ("x-forwarded-for", "127.0.0.1, ::1"))
