from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.access import api_keys

SHAPE = re.compile(r"podium_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


def test_a_key_is_its_id_and_256_random_bits() -> None:
    minted = api_keys.mint()
    assert SHAPE.fullmatch(minted.text)
    assert api_keys.id_in(minted.text) == minted.id
    assert minted.digest == hashlib.sha256(minted.text.encode()).digest()
    assert api_keys.matches(minted.text, minted.digest)


def test_no_two_keys_are_alike() -> None:
    keys = [api_keys.mint() for _ in range(2000)]
    assert len({key.id for key in keys}) == len({key.text for key in keys}) == 2000
    assert any("_" in key.text[24:] for key in keys), "the alphabet has the separator in it; parsing goes by widths"
    assert all(api_keys.id_in(key.text) == key.id for key in keys)


def test_a_key_shows_itself_nowhere() -> None:
    minted = api_keys.mint()
    assert minted.text not in f"{minted} {minted!r}"
    assert minted.digest.hex() not in repr(minted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "podium_",
        "podium_0123456789abcdef",
        "podium_0123456789abcdef_",
        "podium_0123456789abcdef_" + "x" * 42,
        "podium_0123456789abcdef_" + "x" * 44,
        "podium_0123456789ABCDEF_" + "x" * 43,
        "podium_0123456789abcde_" + "x" * 44,
        "PODIUM_0123456789abcdef_" + "x" * 43,
        "podium_0123456789abcdef-" + "x" * 43,
        "podium_0123456789abcdef_" + "x" * 42 + "=",
        "podium_0123456789abcdef_" + "x" * 42 + "é",
        "podium_0123456789abcdef_" + "x" * 43 + "\n",
        " podium_0123456789abcdef_" + "x" * 43,
    ],
)
def test_text_of_another_shape_has_no_id(text: str) -> None:
    assert api_keys.id_in(text) is None


@given(st.text())
def test_no_text_is_a_problem(text: str) -> None:
    api_keys.id_in(text)
    assert not api_keys.matches(text, api_keys.NO_DIGEST)
    assert api_keys.matches(text, api_keys.digest_of(text))


@given(st.integers(0, 66), st.characters(codec="ascii"))
def test_a_key_with_one_character_changed_is_another_one(position: int, character: str) -> None:
    minted = api_keys.mint()
    changed = minted.text[:position] + character + minted.text[position + 1 :]
    assert api_keys.matches(changed, minted.digest) == (changed == minted.text)
