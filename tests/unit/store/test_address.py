"""Where the server is and who asks."""

from __future__ import annotations

import ssl
from pathlib import Path

import pydantic
import pytest

from podium.config.redis import Redis
from podium.core.errors import ConfigurationError
from podium.store.address import Address


def test_an_address_is_taken_apart() -> None:
    address = Address.of(Redis(url="redis://me:p%40ss@[::1]:7000/3"))
    assert (address.host, address.port, address.database, address.tls) == ("::1", 7000, 3, None)
    assert (address.username, address.password) == ("me", "p@ss")
    assert address.greeting() == [("HELLO", 3, "AUTH", "me", "p@ss", "SETNAME", "podium"), ("SELECT", 3)]


def test_what_is_not_said_has_the_usual_value() -> None:
    address = Address.of(Redis(url="redis://far"))
    assert (address.host, address.port, address.database) == ("far", 6379, 0)
    assert address.greeting() == [("HELLO", 3, "SETNAME", "podium")]


def test_a_socket_file_is_an_address() -> None:
    assert Address.of(Redis(url="unix:///run/redis/redis.sock")).path == "/run/redis/redis.sock"


def test_the_settings_win_over_the_address_and_a_file_keeps_the_password(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from file\n")
    address = Address.of(Redis(url="redis://me:old@far", username="you", password_file=str(secret)))
    assert address.greeting()[0][3:5] == ("you", "from file")
    assert "from file" not in repr(address)


def test_a_password_without_a_name_is_the_default_users() -> None:
    assert Address.of(Redis(url="redis://:pass@far")).greeting()[0][3:5] == ("default", "pass")


def test_a_secure_address_checks_the_servers_certificate_and_name() -> None:
    context = Address.of(Redis(url="rediss://far")).tls
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    "settings",
    [
        Redis(url="redis://far:port"),
        Redis(url="redis://far/zero"),
        Redis(url="redis://far", password_file="/nowhere/password"),
        Redis(url="rediss://far", ca_file="/nowhere/ca.pem"),
        Redis(url="rediss://far", ca_file=__file__),
    ],
)
def test_what_cannot_be_followed_stops_the_program_without_repeating_it(settings: Redis) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Address.of(settings)
    assert "nowhere" not in refused.value.message
    assert "far" not in refused.value.message


def test_another_kind_of_address_is_no_setting() -> None:
    with pytest.raises(pydantic.ValidationError, match="redis://, rediss:// or unix://"):
        Redis(url="http://far")
