"""HTTPS at the gateway: real Envoy, real certificates, replaced while clients ask."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from support.certificates import self_signed
from support.command import podium
from support.deadline import until
from support.gateway_stack import BODY, RunningStack, logged, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A gateway with the certificate of "first"."""
    self_signed(tmp_path, name="first")
    with running_stack(tmp_path, gateway={"tls": {"certificate": "certificate.pem", "key": "key.pem"}}) as running:
        yield running


def trusting(*files: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in files:
        context.load_verify_locations(file)
    return context


def handshake(stack: RunningStack, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, port = stack.gateway.removeprefix("https://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLError:
        plain.close()
        raise


def shown(stack: RunningStack) -> str:
    """Whose certificate a client sees that connects now."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    with handshake(stack, anybody) as connection:
        found = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def renew(stack: RunningStack, name: str) -> None:
    """Another certificate of ``name`` in the same files, the key first: for a moment they do not fit."""
    folder = stack.folder / name
    folder.mkdir()
    self_signed(folder, name=name)
    for file in ("key.pem", "certificate.pem"):
        shutil.copy(folder / file, stack.folder / file)


def refusals(stack: RunningStack) -> list[str]:
    return [
        str(record["reason"])
        for record in logged(stack, "controller")
        if record["event"] == "certificate refused; the one before stays"
    ]


def test_clients_get_https_with_http_2_and_nothing_below_tls_1_2(stack: RunningStack) -> None:
    trusted = trusting(stack.folder / "certificate.pem")
    answer = httpx.post(f"{stack.gateway}/v1/completions", json=BODY, verify=trusted, timeout=30)
    assert answer.status_code == 200
    for offered in ("h2", "http/1.1"):
        context = trusting(stack.folder / "certificate.pem")
        context.set_alpn_protocols([offered])
        with handshake(stack, context) as connection:
            assert connection.selected_alpn_protocol() == offered
            assert connection.version() == "TLSv1.3"
    old = trusting(stack.folder / "certificate.pem")
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with handshake(stack, old) as connection:
        assert connection.version() == "TLSv1.2"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_tls_1_1_is_refused(stack: RunningStack) -> None:
    older = trusting(stack.folder / "certificate.pem")
    older.set_ciphers("DEFAULT:@SECLEVEL=0")
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(stack, older)
    with pytest.raises(httpx.HTTPError):
        httpx.get(stack.gateway.replace("https:", "http:"), timeout=10)


def test_a_new_certificate_is_shown_without_a_request_that_fails(stack: RunningStack) -> None:
    """Clients on kept connections and on new ones ask throughout."""
    said: Counter[int | str] = Counter()
    stop = threading.Event()
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.check_hostname = False
    trusted.verify_mode = ssl.CERT_NONE

    def ask(*, keep: bool) -> None:
        with httpx.Client(verify=trusted, timeout=30) as client:
            while not stop.is_set():
                headers = {} if keep else {"connection": "close"}
                try:
                    said[client.post(f"{stack.gateway}/v1/completions", json=BODY, headers=headers).status_code] += 1
                except httpx.HTTPError as error:
                    said[type(error).__name__] += 1

    clients = [threading.Thread(target=ask, kwargs={"keep": keep}, name="client") for keep in (True, False)]
    for client in clients:
        client.start()
    try:
        for name in ("second", "third"):
            before = said[200]
            renew(stack, name)
            until(f"{name} is shown", lambda name=name: shown(stack) == name, seconds=20)  # type: ignore[misc]
            until("clients go on", lambda before=before: said[200] > before + 10, seconds=20)  # type: ignore[misc]
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(said) == {200}


def test_a_bad_replacement_is_told_and_the_certificate_before_stays(stack: RunningStack) -> None:
    good = (stack.folder / "certificate.pem").read_bytes()
    (stack.folder / "certificate.pem").write_text("hello")
    until("it is told", lambda: any("no certificate in PEM form" in text for text in refusals(stack)), seconds=20)
    assert shown(stack) == "first"
    (stack.folder / "key.pem").unlink()
    until("it is told", lambda: len(refusals(stack)) == 2, seconds=20)
    stack.child("podium.controller").kill()
    until("another controller tells it", lambda: len(refusals(stack)) == 3, seconds=30)
    assert shown(stack) == "first"
    until("it moves traffic", lambda: stack.set_weights(blue=100).is_success, seconds=20)
    assert shown(stack) == "first"
    (stack.folder / "certificate.pem").write_bytes(good)
    renew(stack, "second")
    until("the next good one is shown", lambda: shown(stack) == "second", seconds=20)


def test_a_pair_that_does_not_fit_ends_the_start(tmp_path: Path) -> None:
    self_signed(tmp_path)
    certificate = (tmp_path / "certificate.pem").read_bytes()
    self_signed(tmp_path)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    (tmp_path / "podium.yaml").write_text("gateway: {tls: {certificate: certificate.pem, key: key.pem}}\n")
    ended = podium("up", "--port", "0", "--admin-port", "0", cwd=tmp_path)
    assert ended.status == 2
    assert "is not that of the first certificate in certificate.pem" in ended.err
    assert "Traceback" not in ended.err
