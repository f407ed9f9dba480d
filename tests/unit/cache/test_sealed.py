"""A sealed answer opens for its own request only, and shows nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from podium.cache.entry import encode
from podium.cache.key import CacheKey
from podium.cache.sealed import HEAD_BYTES, MOST_EXTRA_BYTES, model_of, seal, stamp_of, unseal
from support.answers import answer, key_for, retry_key

KEY = key_for("PLANTED-PROMPT")
ENTRY = answer(KEY, "PLANTED-ANSWER")
VALUE = seal(KEY, "demo", encode(ENTRY), b"stamp")


def test_what_was_sealed_opens_with_the_same_key() -> None:
    assert unseal(KEY, VALUE) == ENTRY
    assert (model_of(VALUE), stamp_of(VALUE)) == ("demo", b"stamp")
    assert model_of(VALUE[:HEAD_BYTES]) == "demo"


def test_neither_prompt_nor_answer_nor_tenant_nor_digest_is_readable() -> None:
    for secret in (b"PLANTED", b"ANSWER", b"acme", KEY.digest, KEY.digest.hex().encode()):
        assert secret not in VALUE


def test_the_same_answer_is_sealed_differently_each_time() -> None:
    assert seal(KEY, "demo", encode(ENTRY), b"stamp")[-64:] != VALUE[-64:]


def test_it_does_not_open_for_another_request_tenant_model_or_kind() -> None:
    others = (
        key_for("another"),
        key_for("PLANTED-PROMPT", tenant="other"),
        CacheKey(KEY.digest, "other", KEY.model),
        CacheKey(KEY.digest, KEY.tenant, "other"),
        retry_key("k"),
    )
    assert [unseal(key, VALUE) for key in others] == [None] * len(others)


def test_a_cut_value_does_not_open() -> None:
    assert [length for length in range(len(VALUE)) if unseal(KEY, VALUE[:length]) is not None] == []
    assert unseal(KEY, VALUE + b"\x00") is None


def test_a_value_with_any_one_bit_turned_does_not_open() -> None:
    """The stamp and the model that stay readable are protected too."""

    def turned(bit: int) -> bytes:
        changed = bytearray(VALUE)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    assert [bit for bit in range(8 * len(VALUE)) if unseal(KEY, turned(bit)) is not None] == []


@settings(max_examples=300)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_fail(data: bytes, like_ours: bool) -> None:  # noqa: FBT001
    value = VALUE[:4] + data if like_ours else data
    assert unseal(KEY, value) is None
    assert isinstance(stamp_of(value), bytes)
    assert model_of(value) is None or like_ours


def test_the_longest_names_fit() -> None:
    model = "m" * 300
    key = CacheKey(KEY.digest, KEY.tenant, model)
    data = encode(answer(key, model=model))
    value = seal(key, model, data, b"s" * 255)
    assert unseal(key, value) is not None
    assert len(value) <= len(data) + MOST_EXTRA_BYTES
