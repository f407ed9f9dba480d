from __future__ import annotations

import asyncio
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access.jwks import KeySetInvalid
from podium.access.key_set import KeySet
from podium.access.key_set_document import MOST_BYTES, AddressDocument, document_of
from podium.config.access import Jwt
from podium.core.errors import ConfigurationError
from support.deadline import soon
from support.issuer import AUDIENCE, ISSUER, jwk, key_set
from support.tls_server import TlsServer, document, tls_server

GOOD = key_set(jwk("rsa"))
ROTATED = key_set(jwk("rsa"), jwk("rsa-2048"))


def jwt_settings(jwks: object, *, refresh_seconds: float = 3600.0, **members: Any) -> Jwt:
    valid = Jwt(issuer=ISSUER, audience=AUDIENCE, jwks=str(jwks), **members)
    return valid.model_copy(update={"refresh_seconds": refresh_seconds})  # shorter than people may set it


def test_a_file_is_read_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(GOOD)

    async def main() -> None:
        async with KeySet(jwt_settings(file, refresh_seconds=0.02)) as keys:
            assert keys.loaded
            assert keys.find("rsa") is not None
            assert keys.find("rsa-2048") is None
            file.write_bytes(ROTATED)
            await soon("the new key", lambda: keys.find("rsa-2048"))
        assert "issuer's keys" not in {task.get_name() for task in asyncio.all_tasks()}

    uvloop.run(main())


@pytest.mark.parametrize("content", [None, b"", b"{}", key_set(jwk("ec")), b" " * MOST_BYTES + GOOD])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_bytes(content)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match=r"access\.jwt\.jwks names a file without usable keys for RS256"):
            async with KeySet(jwt_settings(file)):
                pass

    uvloop.run(main())


def test_a_file_that_becomes_unusable_leaves_the_last_good_keys(tmp_path: Path, log: LogCapture) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(GOOD)

    async def main() -> None:
        async with KeySet(jwt_settings(file)) as keys:
            for content in (b"", b"planted", key_set(jwk("rsa", private=True))):
                file.write_bytes(content)
                await keys.refresh()
            file.unlink()
            await keys.refresh()
            assert keys.find("rsa") is not None

    uvloop.run(main())
    (entry,) = log.entries
    assert (entry["event"], entry["reason"], entry["known_keys"]) == (
        "issuer's keys not read", "it is no JSON Web Key Set", 1
    )  # fmt: skip


def test_a_token_without_a_kid_finds_the_only_key_and_never_one_of_several(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(GOOD)

    async def main() -> None:
        async with KeySet(jwt_settings(file)) as keys:
            assert keys.find(None) is keys.find("rsa")
            file.write_bytes(ROTATED)
            await keys.refresh()
            assert keys.find(None) is None

    uvloop.run(main())


def settings_for(server: TlsServer, **members: Any) -> Jwt:
    return jwt_settings(f"{server.url}/keys", ca_file=str(server.ca_file), **members)


def test_an_address_is_fetched_with_a_verified_certificate(tmp_path: Path, log: LogCapture) -> None:
    async def main() -> None:
        with tls_server(tmp_path, document(GOOD)) as server:
            async with KeySet(settings_for(server)) as keys:
                assert keys.find("rsa") is not None
            async with KeySet(jwt_settings(f"{server.url}/keys")) as keys:  # well-known authorities only
                assert not keys.loaded

    uvloop.run(main())
    assert [entry["reason"] for entry in log.entries] == ["ConnectError"]


def test_an_address_that_does_not_answer_yet_is_asked_again(tmp_path: Path) -> None:
    async def main() -> None:
        with tls_server(tmp_path, document(b"", 503)) as server:
            async with KeySet(settings_for(server, refresh_seconds=0.02)) as keys:
                assert not keys.loaded
                server.answer = document(GOOD)
                await soon("the keys", lambda: keys.loaded)

    uvloop.run(main())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (document(GOOD, 500), "the address answered 500"),
        (document(b"", 302, location="/elsewhere"), "the address answered 302"),
        (document(b" " * (MOST_BYTES + 1)), f"larger than {MOST_BYTES} bytes"),
        (document(b"x", content_encoding="gzip"), "no JSON Web Key Set"),
        (document(b"<html>"), "no JSON Web Key Set"),
    ],
)
def test_an_answer_that_cannot_be_used_leaves_the_last_good_keys(
    tmp_path: Path, log: LogCapture, answer: Any, reason: str
) -> None:
    async def main() -> None:
        with tls_server(tmp_path, document(GOOD)) as server:
            async with KeySet(settings_for(server)) as keys:
                server.answer = answer
                await keys.refresh()
                assert keys.find("rsa") is not None
            assert server.paths == ["/keys", "/keys"]

    uvloop.run(main())
    assert reason in log.entries[0]["reason"]


def endless(done: threading.Event, pause_seconds: float) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not done.wait(pause_seconds):
            request.wfile.write(b" " * 4096)

    return answer


@pytest.mark.parametrize(("pause_seconds", "error"), [(0.0, KeySetInvalid), (0.05, TimeoutError)])
def test_an_endless_answer_is_bounded_in_size_and_time(
    tmp_path: Path, pause_seconds: float, error: type[Exception]
) -> None:
    done = threading.Event()

    async def main() -> None:
        with tls_server(tmp_path, endless(done, pause_seconds)) as server:
            trust = ssl.create_default_context(cafile=server.ca_file)
            started = time.monotonic()
            try:
                with pytest.raises(error):
                    await AddressDocument(server.url, trust, read_seconds=0.5).read()
                assert time.monotonic() - started < 3
            finally:
                done.set()

    uvloop.run(main())


def test_an_address_where_nobody_is_leaves_the_server_going(log: LogCapture) -> None:
    async def main() -> None:
        async with KeySet(jwt_settings("https://127.0.0.1:1/keys")) as keys:
            assert not keys.loaded
            assert keys.find(None) is None

    uvloop.run(main())
    assert log.entries[0]["event"] == "issuer's keys not read"


def test_proxies_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def main() -> None:
        with tls_server(tmp_path, document(GOOD)) as server:
            assert await document_of(settings_for(server)).read() == GOOD

    uvloop.run(main())


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=r"access\.jwt\.ca_file cannot be read"):
            KeySet(jwt_settings("https://127.0.0.1:1/keys", ca_file=str(tmp_path / name)))


@pytest.mark.parametrize("address", ["http://issuer.example/keys", "ftp://x/keys", "HTTPS://x", "file:///etc/passwd"])
def test_only_https_addresses_and_files_are_accepted(address: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        jwt_settings(address)


def test_errors_of_the_client_library_are_its_own() -> None:
    assert not issubclass(httpx.HTTPError, OSError), "the handler names both"
