"""Incremental detokenisation."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from podium.engine.adapters.echo import tokenizer as byte_tokenizer
from podium.engine.detokenizer import IncrementalDetokenizer

TOKENIZER = byte_tokenizer(Path("none"), None)


def pieces_of(data: bytes, prompt: bytes = b"") -> list[str]:
    detokenizer = IncrementalDetokenizer(TOKENIZER, list(prompt))
    return [*(detokenizer.push([byte]) for byte in data), detokenizer.flush()]


def test_half_a_character_is_never_given_out() -> None:
    assert pieces_of("é".encode()) == ["", "é", ""]
    assert pieces_of("😀".encode()) == ["", "", "", "😀", ""]


def test_an_end_within_a_character_shows_as_the_replacement_character() -> None:
    assert pieces_of("a😀".encode()[:3]) == ["a", "", "", "\ufffd"]


def test_a_prompt_that_ends_within_a_character_is_completed_by_the_first_tokens() -> None:
    whole = "😀".encode()
    assert "".join(pieces_of(whole[2:] + b"!", prompt=b"x" + whole[:2])) == "😀!"


@given(st.text(max_size=60))
def test_the_pieces_of_any_text_concatenate_to_it(text: str) -> None:
    assert "".join(pieces_of(text.encode())) == text


@given(st.binary(max_size=200))
def test_the_pieces_of_any_bytes_concatenate_to_their_decoding(data: bytes) -> None:
    assert "".join(pieces_of(data)) == TOKENIZER.decode(list(data))


def test_endless_invalid_bytes_are_given_out_before_the_end() -> None:
    pieces = pieces_of(b"\x80" * 200)
    assert any(pieces[:100])
