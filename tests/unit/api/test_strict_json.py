"""Which JSON is taken from strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.api.strict_json import decode_object
from podium.core.errors import InvalidRequest

SECRET = "s3cr3t"
REFUSED = {
    "nothing": b"",
    "blanks": b"  \n",
    "a scalar": b"7",
    "an array": b'[{"a": 1}]',
    "null": b"null",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a float that overflows": b'{"a": 1e999}',
    "a duplicate name": b'{"s3cr3t": 1, "s3cr3t": 2}',
    "a duplicate name spelled with an escape": b'{"a": 1, "\\u0061": 2}',
    "a duplicate name deep inside": b'{"x": [1, {"y": {"a": 1, "a": 1}}]}',
    "a lone high surrogate": b'{"a": "s3cr3t\\ud800"}',
    "a lone low surrogate": b'{"a": "\\udc00s3cr3t"}',
    "a NUL escape": b'{"a": "s3cr3t\\u0000"}',
    "a NUL escape after a backslash": b'{"a": "\\\\\\u0000"}',
    "a raw NUL": b'{"a": "s3cr3t\x00"}',
    "a raw control character": b'{"a": "x\x01"}',
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "invalid UTF-8": b'{"a": "\xff"}',
    "an encoded surrogate": b'{"a": "\xed\xa0\x80"}',
    "2**63": b'{"a": 9223372036854775808}',
    "a negative number beyond 64 bits": b'{"a": [-9223372036854775809]}',
    "an integer of 5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "depth 65": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "depth 100000": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "unclosed brackets": b'{"a":' + b"[" * 100_000,
    "closing brackets only": b"]" * 100_000,
    "trailing text": b'{"a": 1} x',
    "a comment": b'{"a": 1 /* s3cr3t */}',
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "20001 arrays": b'{"a": [' + b",".join([b"[]"] * 20_001) + b"]}",
    "100001 strings": b'{"a": [' + b",".join([b'""'] * 100_001) + b"]}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_object(REFUSED[name], max_depth=64)
    assert SECRET not in caught.value.message
    assert caught.value.message.endswith(".")


ACCEPTED = {
    "brackets and colons within strings": '{"a": "[[[{{{:::\\"}}}"}',
    "an escaped backslash before u0000": '{"a": "\\\\u0000"}',
    "a surrogate pair": '{"a": "\\ud83d\\ude00"}',
    "the largest 64-bit integer": '{"a": [9223372036854775807, -9223372036854775808]}',
    "twenty digits within a string": '{"a": "12345678901234567890"}',
    "a float with many digits": '{"a": 0.12345678901234567890123}',
    "minus zero": '{"a": -0}',
    "depth 64": '{"a":' + "[" * 63 + "]" * 63 + "}",
    "the same name in different objects": '{"a": {"a": [{"a": 1}, {"a": 2}]}}',
    "an empty object": " {} ",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_takes(name: str) -> None:
    assert decode_object(ACCEPTED[name].encode(), max_depth=64) == json.loads(ACCEPTED[name])


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)


@given(st.dictionaries(texts, values), st.booleans())
def test_whatever_python_writes_it_reads_the_same(value: dict[str, object], ascii_only: object) -> None:
    text = json.dumps(value, ensure_ascii=bool(ascii_only)).encode()
    assert decode_object(text, max_depth=64) == value


@given(st.binary(max_size=200))
def test_any_bytes_either_parse_or_are_refused(text: bytes) -> None:
    try:
        value = decode_object(text, max_depth=64)
    except InvalidRequest:
        return
    assert value == json.loads(text)
