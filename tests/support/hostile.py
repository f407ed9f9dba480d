"""Hostile request bodies by class, built so that each is wrong on every route that takes a body."""

from __future__ import annotations

import json
from typing import Any

MIB = 1024 * 1024
_GOOD = {"prompt": "x", "prompts": ["x"], "messages": [{"role": "user", "content": "x"}], "tokens": [1]}


def with_members(**members: Any) -> bytes:
    return json.dumps({**_GOOD, **members}).encode()


def all_members(value: Any) -> bytes:
    """Every member that some route requires, with the same value."""
    members = {name: value for name in _GOOD}  # noqa: C420 - a list as value
    return json.dumps(members).encode()


def _filled(opening: bytes, piece: bytes, closing: bytes, size: int = MIB - 64) -> bytes:
    return opening + piece * ((size - len(opening) - len(closing)) // len(piece)) + closing


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "a scalar": b"7",
    "an array": b"[]",
    "a string of 1 MiB": _filled(b'"', b"x", b'"'),
    "NaN": b'{"prompt": NaN}',
    "1e999": b'{"prompt": "x", "temperature": 1e999}',
    "duplicate names": b'{"prompt": "x", "prompt": "y", "prompts": ["x"], "tokens": [1]}',
    "a lone surrogate": b'{"prompt": "\\ud800"}',
    "a NUL": b'{"prompt": "\\u0000", "prompts": ["\\u0000"]}',
    "UTF-16": json.dumps(_GOOD).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(_GOOD).encode(),
    "invalid UTF-8": b'{"prompt": "\xff\xfe"}',
    "5000 digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "2**64 somewhere": b'{"unknown": 18446744073709551616}',
    "open brackets": _filled(b"", b"[", b""),
    "open objects": _filled(b"", b'{"a":', b""),
    "close brackets": _filled(b"", b"]", b""),
    "quotes": _filled(b"", b'"', b""),
    "backslashes": _filled(b'{"a":"', b"\\\\", b""),
    "escaped NULs": _filled(b'{"a":"', b"\\\\u0000", b'\\u0000"}'),
    "empty arrays": _filled(b'{"a":[', b"[],", b"[]]}"),
    "empty objects": _filled(b'{"a":[', b"{},", b"{}]}"),
    "empty strings": _filled(b'{"a":[', b'"",', b'""]}'),
    "long integers": _filled(b'{"a":[', b"9999999999999999999,", b"1]}"),
    "commas": _filled(b"", b",", b""),
    "colons": _filled(b"", b":", b""),
    "depth 100000": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "many equal names": _filled(b"{", b'"a":1,', b'"a":1}'),
}

_MANY = 150_000
WRONG_FIELDS: dict[str, bytes] = {
    "model is a number": with_members(model=7),
    "model is a path": with_members(model="../../etc/passwd"),
    "model is encoded": with_members(model="%2e%2e/x"),
    "model is a URL": with_members(model="http://127.0.0.1/x"),
    "model is very long": with_members(model="m" * 300),
    "model is 1 MiB": with_members(model="m" * (MIB - 400)),
    "nulls": all_members(None),
    "numbers": all_members(7),
    "booleans": all_members(True),
    "empty lists": all_members([]),
    "objects": all_members({}),
    "lists of everything": all_members([1, "x", None, {}, []]),
    "many booleans": all_members([True] * 40_000),
    "many nulls": all_members([None] * 40_000),
    "many objects": all_members([{}] * 4_900),
    "many prompts": all_members(["x"] * 20_000),
    "negative ids": all_members([-1]),
    "ids out of range": all_members([2**31]),
}

WRONG_SAMPLING: dict[str, bytes] = {
    "n huge": with_members(n=2**31 - 1),
    "n true": with_members(n=True),
    "seventeen stops": with_members(stop=["x"] * 17),
    "many stops": with_members(stop=["x"] * _MANY),
    "an empty stop": with_members(stop=""),
    "many stop tokens": with_members(stop_token_ids=list(range(_MANY))),
    "a flood of biases": with_members(logit_bias={str(number): 1 for number in range(60_000)}),
    "a bias for text": with_members(logit_bias={"x": 1}),
    "a bias of NaN as text": with_members(logit_bias={"1": "NaN"}),
    "a regex of 1 MiB": with_members(guided_regex="(a+)+" * 200_000),
    "a schema of 1 MiB": with_members(guided_json={"enum": list(range(_MANY))}),
    "a deadline of zero": with_members(timeout_seconds=0),
    "priority out of range": with_members(priority=10**6),
    "temperature as text": with_members(temperature="1"),
    "seed beyond 64 bits": with_members(seed=2**63 - 1 + 2**62),
    "logprobs huge": with_members(logprobs=2**31),
}
