"""Which pairs of certificate and key are taken, and what is said of the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from podium.config.gateway import GatewayTls
from podium.core.errors import ConfigurationError
from podium.gateway.certificate import read_certificate
from support.certificates import Key, self_signed


def pair(folder: Path) -> GatewayTls:
    return GatewayTls(certificate=str(folder / "certificate.pem"), key=str(folder / "key.pem"))


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)]
)
def test_a_pair_is_taken_and_shows_no_key(tmp_path: Path, key: Key) -> None:
    self_signed(tmp_path, key=key)
    found = read_certificate(pair(tmp_path))
    assert found.chain.startswith(b"-----BEGIN CERTIFICATE")
    assert "PRIVATE" not in repr(found)


def of_another(folder: Path) -> None:
    self_signed(folder)
    certificate = (folder / "certificate.pem").read_bytes()
    self_signed(folder)
    (folder / "certificate.pem").write_bytes(certificate)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no certificate": (lambda _: None, "gateway.tls.certificate: .*certificate.pem cannot be read: No such file"),
    "no key": (lambda folder: self_signed(folder)[1].unlink(), "gateway.tls.key: .*key.pem cannot be read: No such"),
    "no PEM": (lambda folder: self_signed(folder)[0].write_text("hello"), "holds no certificate in PEM form"),
    "a key that is none": (lambda folder: self_signed(folder)[1].write_text("hello"), "holds no private key in PEM"),
    "the key of another": (of_another, "is not that of the first certificate"),
    "an encrypted key": (lambda folder: self_signed(folder, passphrase=b"word"), "give the key without a passphrase"),
    "an expired one": (lambda folder: self_signed(folder, days=-1), r"expired on \d{4}-\d\d-\d\d; renew it"),
    "Ed25519": (
        lambda folder: self_signed(folder, key=ed25519.Ed25519PrivateKey.generate()),
        "a key that Envoy does not take; use RSA",
    ),
    "a short RSA key": (
        lambda folder: self_signed(folder, key=rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505
        "2048 bits or more",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    prepare, words = REFUSED[case]
    prepare(tmp_path)
    with pytest.raises(ConfigurationError) as refused:
        read_certificate(pair(tmp_path))
    assert re.search(words, refused.value.message)
