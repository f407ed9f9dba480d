from __future__ import annotations

import json

import pytest

from podium.access.jwks import KeySetInvalid, read_key_set
from support.issuer import jwk, key_set


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("rsa", "RS256"), ("rsa", "RS512"), ("rsa", "PS256"), ("ec", "ES256"), ("ec384", "ES384"), ("ed", "EdDSA")],
)
def test_public_keys_are_found_by_kid(name: str, algorithm: str) -> None:
    other = f"{name}-2048" if name == "rsa" else f"{name}-other"
    assert set(read_key_set(key_set(jwk(name), jwk(other)), algorithm)) == {name, other}


def test_keys_for_other_algorithms_curves_and_uses_are_passed_over() -> None:
    document = key_set(
        jwk("rsa"),
        jwk("rsa-2048", kid="encrypting", use="enc"),
        jwk("rsa-2048", kid="another", alg="RS512"),
        jwk("ec"),
        jwk("ec384"),
        jwk("ed"),
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        {"kty": "future", "kid": "new"},
    )
    assert set(read_key_set(document, "RS256")) == {"rsa"}
    assert set(read_key_set(document, "ES256")) == {"ec"}
    assert set(read_key_set(document, "ES384")) == {"ec384"}
    assert set(read_key_set(document, "EdDSA")) == {"ed"}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "no JSON Web Key Set"),
        (b"[]", "no JSON Web Key Set"),
        (b"[" * 100_000, "no JSON Web Key Set"),
        (b'{"keys": {}}', "no JSON Web Key Set"),
        (b'{"keys": [7]}', "no JSON Web Key Set"),
        (b'{"keys": [{"kty": 1}]}', "no JSON Web Key Set"),
        (b'{"keys": []}', "no key for RS256"),
        (key_set(jwk("ec")), "no key for RS256"),
        (key_set({"kty": "RSA", "n": "!!", "e": "AQAB"}), "malformed"),
        (key_set({"kty": "RSA", "n": "", "e": ""}), "malformed"),
        (key_set({"kty": "RSA", "kid": "x"}), "malformed"),
        (key_set(jwk("rsa", private=True)), "private key"),
        (key_set(jwk("rsa"), jwk("rsa-2048", kid="rsa")), "same kid"),
        (key_set(jwk("rsa", kid=None), jwk("rsa-2048", kid=None)), "same kid"),
        (key_set(jwk("rsa-1024")), "shorter than 2048 bits"),
    ],
)
def test_a_set_that_is_not_in_order_is_refused_as_a_whole_with_a_reason(document: bytes, reason: str) -> None:
    with pytest.raises(KeySetInvalid, match=reason) as caught:
        read_key_set(document, "RS256")
    assert len(str(caught.value)) < 80


def test_only_so_many_keys_are_read() -> None:
    keys = [{"kty": "oct", "kid": str(number)} for number in range(100)]
    with pytest.raises(KeySetInvalid, match="no key"):
        read_key_set(key_set(*keys, jwk("rsa")), "RS256")


def test_a_point_that_is_not_on_its_curve_is_no_key() -> None:
    document = json.loads(key_set(jwk("ec")))
    document["keys"][0]["y"] = document["keys"][0]["x"]
    with pytest.raises(KeySetInvalid, match="malformed"):
        read_key_set(json.dumps(document).encode(), "ES256")
