"""What is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.store.command import encode
from podium.store.reply import ReplyReader


@given(st.lists(st.lists(st.one_of(st.binary(), st.text(), st.integers(), st.floats()), min_size=1), max_size=4))
def test_a_server_reads_every_argument_as_it_was_given(commands: list[list[Any]]) -> None:
    reader = ReplyReader()
    reader.feed(encode(commands))
    for command in commands:
        assert reader.take() == [_bytes(argument) for argument in command]
    assert reader.is_empty


def _bytes(argument: bytes | str | float) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("argument", [None, True, ["a"], object()])
def test_what_is_no_text_and_no_number_is_refused(argument: Any) -> None:
    with pytest.raises(TypeError, match="this is a bug"):
        encode([("SET", "key", argument)])


def test_a_text_with_half_a_character_pair_can_be_sent() -> None:
    assert encode([("GET", "\ud800")]) == b"*2\r\n$3\r\nGET\r\n$3\r\n\xed\xa0\x80\r\n"
