"""An entry comes back as it was, or not at all."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.cache.entry import SCHEMA, Entry, decode, encode
from podium.cache.key import CacheKey
from podium.core.generation import Chunk, TokenLogprob
from support.answers import answer, key_for, retry_key

KEY = key_for()
CHUNKS = (
    Chunk(0, "über \x00", (1, 2), 2, (TokenLogprob(1, "ü", None), TokenLogprob(2, "x", -0.5, ((2, "x", -0.5),)))),
    Chunk(1, "", (), 0, None, "stop", "\n", 7, 3),
    Chunk(0, "", (), 0, None, "length", 50256, 7, None),
)


def test_every_member_of_every_chunk_comes_back() -> None:
    entry = msgspec.structs.replace(answer(KEY), chunks=CHUNKS, fingerprint=b"f" * 32, created_unix_seconds=1.25)
    assert decode(encode(entry), KEY) == entry


@pytest.mark.parametrize(
    "key",
    [
        key_for("another prompt"),
        CacheKey(b"x" * 32, KEY.tenant, KEY.model),
        CacheKey(KEY.digest, "another tenant", KEY.model),
        CacheKey(KEY.digest, KEY.tenant, "another model"),
    ],
)
def test_an_entry_is_the_answer_of_its_own_key_only(key: CacheKey) -> None:
    assert decode(encode(answer(KEY)), key) is None


def test_under_an_idempotency_key_the_model_may_be_any_and_the_tenant_only_one() -> None:
    key = retry_key("k")
    assert decode(encode(answer(key, model="whichever")), key) is not None
    foreign = msgspec.structs.replace(answer(key), tenant="another")
    assert decode(encode(foreign), key) is None


def test_an_entry_without_chunks_answers_nothing() -> None:
    assert decode(encode(msgspec.structs.replace(answer(KEY), chunks=())), KEY) is None


def test_an_entry_of_another_schema_is_not_read() -> None:
    data = encode(answer(KEY))
    assert data[:1] == SCHEMA
    assert decode(b"\x02" + data[1:], KEY) is None
    assert decode(b"", KEY) is None


def test_a_truncated_entry_is_not_read() -> None:
    data = encode(answer(KEY))
    assert [length for length in range(len(data)) if decode(data[:length], KEY) is not None] == []


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_are_no_entry(data: bytes) -> None:
    assert decode(SCHEMA + data, KEY) is None


@pytest.mark.parametrize("value", [{}, [], 1, {"digest": 1}, {**msgspec.to_builtins(answer(KEY)), "chunks": [{}]}])
def test_other_msgpack_is_no_entry(value: Any) -> None:
    assert decode(SCHEMA + msgspec.msgpack.encode(value), KEY) is None


def test_an_entry_cannot_be_changed_by_who_reads_it() -> None:
    entry: Entry | None = decode(encode(answer(KEY)), KEY)
    assert entry is not None
    assert isinstance(entry.chunks, tuple)
    with pytest.raises(AttributeError):
        entry.tenant = "other"  # type: ignore[misc]
