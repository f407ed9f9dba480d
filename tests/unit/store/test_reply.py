"""Reading what a server answers."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.store.reply import INCOMPLETE, MIB, MOST_LINE_BYTES, ErrorReply, GarbledReply, ReplyReader


def _read(data: bytes, *, pieces: int | None = None) -> Any:
    reader = ReplyReader()
    step = pieces or len(data)
    for start in range(0, len(data), step):
        assert reader.is_empty or reader.take() is INCOMPLETE
        reader.feed(data[start : start + step])
    answer = reader.take()
    assert reader.is_empty
    return answer


def _written(value: Any) -> bytes:
    """``value`` in the newest form of the protocol."""
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(_written, value))
    if isinstance(value, dict):
        return b"%%%d\r\n" % len(value) + b"".join(_written(part) for item in value.items() for part in item)
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    return b"_\r\n" if value is None else b"-%b it was refused\r\n" % value.reason.encode()


SCALARS = st.one_of(
    st.binary(max_size=40),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.sampled_from([ErrorReply("OOM"), ErrorReply("WRONGTYPE")]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.binary(max_size=8), inner, max_size=4)),
    max_leaves=12,
).filter(lambda value: _depth(value) <= 8)


def _depth(value: Any) -> int:
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else None
    return 0 if items is None else 1 + max(map(_depth, items), default=0)


@given(VALUES, st.integers(1, 9))
def test_what_was_written_is_read_however_it_is_cut(value: Any, pieces: int) -> None:
    assert _read(_written(value), pieces=pieces) == value


@given(st.lists(VALUES, max_size=4))
def test_answers_are_taken_one_after_the_other(values: list[Any]) -> None:
    reader = ReplyReader()
    reader.feed(b"".join(map(_written, values)))
    assert [reader.take() for _ in values] == values
    assert reader.take() is INCOMPLETE


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_answers_or_garbled_and_nothing_else(data: bytes, pieces: int) -> None:
    reader = ReplyReader()
    try:
        for start in range(0, len(data), pieces):
            reader.feed(data[start : start + pieces])
            while reader.take() is not INCOMPLETE:
                pass
    except GarbledReply:
        pass


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"+OK\r\n", b"OK"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"$0\r\n\r\n", b""),
        (b"*0\r\n", []),
        (b"%0\r\n", {}),
        (b"~2\r\n:1\r\n:2\r\n", [1, 2]),
        (b",1.5\r\n", 1.5),
        (b"=8\r\ntxt:text\r\n", b"text"),
        (b"-NOPERM this user has no permissions\r\n", ErrorReply("NOPERM")),
        (b"-ERR Function not found\r\n", ErrorReply("ERR")),
    ],
)
def test_every_kind_of_answer_is_understood(data: bytes, value: Any) -> None:
    assert _read(data) == value
    assert _read(data, pieces=1) == value


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b":\r\n",
        b":1_0\r\n",
        b":" + b"9" * 5000 + b"\r\n",
        b":one\r\n",
        b"$five\r\n",
        b"$-2\r\n",
        b"$?\r\n",
        b"*?\r\n",
        b"$3\r\nfour\r\n",
        b"#x\r\n",
        b",nonsense\r\n",
        b"_0\r\n",
        b"%1\r\n*0\r\n:1\r\n",  # a list as the key of a map
        b">2\r\n$10\r\ninvalidate\r\n*0\r\n",  # nobody asked to be told
        b"!5\r\nERR x\r\n",
        b"*1\r\n" * 9 + b":1\r\n",
    ],
)
def test_what_is_no_answer_is_garbled(data: bytes) -> None:
    with pytest.raises(GarbledReply):
        _read(data)


@pytest.mark.parametrize("data", [b"*1073741824\r\n", b"%536870912\r\n", b"*1\r\n*1000000\r\n", b"$1073741824\r\n"])
def test_a_length_is_believed_only_up_to_a_bound_and_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(GarbledReply):
            _read(data)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_lists_add_up_to_the_bound() -> None:
    reader = ReplyReader()
    reader.feed(b"*1000\r\n" + (b"*1000\r\n" + b":1\r\n" * 1000) * 1000)
    with pytest.raises(GarbledReply):
        reader.take()


def test_a_line_without_end_is_garbled() -> None:
    reader = ReplyReader()
    reader.feed(b"+" + b"x" * (MOST_LINE_BYTES // 2))
    assert reader.take() is INCOMPLETE
    reader.feed(b"x" * MOST_LINE_BYTES)
    with pytest.raises(GarbledReply):
        reader.take()


def test_an_answer_without_end_is_garbled_when_it_is_longer_than_any() -> None:
    reader = ReplyReader()
    reader.feed(b"*100000\r\n")
    with pytest.raises(GarbledReply, match="longer"):
        _feed_texts(reader, 100)


def _feed_texts(reader: ReplyReader, number: int) -> None:
    for _ in range(number):
        reader.feed(b"$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
        assert reader.take() is INCOMPLETE


def test_a_refusal_keeps_only_its_code() -> None:
    assert "secret" not in repr(_read(b"-WRONGTYPE the key podium:secret holds a list\r\n"))
    assert _read(b"-\x00\xff key\r\n") == ErrorReply("ERR")
