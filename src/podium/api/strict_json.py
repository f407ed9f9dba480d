"""JSON from strangers: one encoding, no ambiguity, bounded cost.

The parser is msgspec's, which already refuses NaN, infinities, numbers that overflow, lone surrogates,
byte order marks and anything but UTF-8. What it tolerates is refused here: duplicate names, NUL
characters, integers beyond 64 bits, deep nesting, and floods of strings, objects or arrays. Depth,
names and counts are read from the *skeleton* of the text, which is what remains without its strings,
so the cost is that of a few passes in C. A message never repeats input.
"""

from __future__ import annotations

from typing import Any

import msgspec

from podium.core.errors import InvalidRequest

MAX_STRINGS = 100_000
MAX_CONTAINERS = 20_000
MAX_TEXT_DEPTH = 64
"""Of JSON that stands in a string of a body: arguments of a call, a schema."""
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{}:"))
_MALFORMED = "The body is not valid JSON in UTF-8. Check quotes, commas and numbers."
_OPEN = frozenset(b"[{")
_DIGITS_AS_ZERO = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
_LONG_INTEGER = b"0" * 19  # digits of 2**63
_LEAST, _MOST = -(2**63), 2**63 - 1


def decode_object(text: bytes, *, max_depth: int) -> dict[str, Any]:
    """The JSON object in ``text``.

    Raises InvalidRequest for anything else: malformed or ambiguous text, a top level that is not an
    object, nesting beyond ``max_depth``, or more than 100,000 strings or 20,000 objects and arrays.
    """
    if not text.strip():
        raise InvalidRequest("The body is empty. Send a JSON object.")
    skeleton = _skeleton(text)
    structure = skeleton.translate(None, _NOT_STRUCTURE)
    containers = _check_nesting(structure, max_depth)
    value = _parse(text)
    if type(value) is not dict:
        raise InvalidRequest("The body is not a JSON object. Send one object, in braces.")
    if _LONG_INTEGER in skeleton.translate(_DIGITS_AS_ZERO):
        _refuse_huge_integers(value, containers)
    if _count_names(value, containers) != structure.count(b":"):
        raise InvalidRequest("An object in the body has the same name twice. Send each name once.")
    return value


def is_too_deep(text: str) -> bool:
    """Whether JSON in a string of a body is nested deeper than bodies are by default. Raises as ``decode_object``."""
    return _depth(_skeleton(text.encode()).translate(None, _NOT_STRUCTURE)) > MAX_TEXT_DEPTH


def _skeleton(text: bytes) -> bytes:
    """``text`` without its strings; refuses a flood of them, and NUL in one.

    Pairs of backslashes go first, as JSON reads them from the left; then a quote or a ``u0000`` behind
    a backslash is surely escaped, and the quotes that stay delimit the strings.
    """
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    if b"\\u0000" in plain:
        raise InvalidRequest("A string in the body holds a NUL character. Remove it.")
    if plain.count(b'"') > 2 * MAX_STRINGS:
        raise InvalidRequest(f"The body holds too many strings. At most {MAX_STRINGS} are allowed.")
    return b"".join(plain.split(b'"')[::2])


def _check_nesting(structure: bytes, max_depth: int) -> int:
    """Number of objects and arrays; refuses too many, and too deep ones."""
    containers = structure.count(b"{") + structure.count(b"[")
    if containers > MAX_CONTAINERS:
        raise InvalidRequest(f"The body holds too many objects and arrays. At most {MAX_CONTAINERS} are allowed.")
    if structure.count(b"}") + structure.count(b"]") != containers:
        raise InvalidRequest(_MALFORMED)
    if containers > max_depth and _depth(structure) > max_depth:
        raise InvalidRequest(f"The body is nested too deeply. At most {max_depth} levels are allowed.")
    return containers


def _depth(structure: bytes) -> int:
    depth = deepest = 0
    for bracket in structure.translate(None, b":"):
        depth += 1 if bracket in _OPEN else -1
        deepest = max(deepest, depth)
    return deepest


def _parse(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(_MALFORMED) from error


def _containers(value: dict[str, Any], count: int) -> list[Any]:
    """All ``count`` objects and arrays of ``value``; stops looking when it has them."""
    found: list[Any] = [value]
    for container in found:
        if len(found) == count:
            break
        children = container.values() if type(container) is dict else container
        found += [child for child in children if type(child) is dict or type(child) is list]
    return found


def _count_names(value: dict[str, Any], containers: int) -> int:
    return sum(len(item) for item in _containers(value, containers) if type(item) is dict)


def _refuse_huge_integers(value: dict[str, Any], containers: int) -> None:
    for container in _containers(value, containers):
        children = container.values() if type(container) is dict else container
        if any(type(child) is int and not _LEAST <= child <= _MOST for child in children):
            raise InvalidRequest("A number in the body is too large. Integers must fit 64 bits.")
