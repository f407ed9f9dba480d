"""Two values share their bytes only if they are the same."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from podium.cache import canonical
from support.request_values import documents


def written(value: Any) -> bytes:
    return canonical.encoded(canonical.document, value)


class _Old(msgspec.Struct, frozen=True):
    name: str
    share: float = 1.0
    limits: dict[int, float] = {}


class _New(msgspec.Struct, frozen=True):
    name: str
    share: float = 1.0
    limits: dict[int, float] = {}
    added: str | None = None


class _Unruly(msgspec.Struct, frozen=True):
    names: frozenset[str] = frozenset()


OLD = canonical.structure(_Old)


@given(documents, documents)
def test_two_json_documents_share_their_bytes_exactly_when_their_texts_are_the_same(one: Any, other: Any) -> None:
    assert (written(one) == written(other)) == (json.dumps(one) == json.dumps(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0.0, -0.0),
        (None, "N"),
        ([], {}),
        ([[], []], [[[]]]),
        (["a", "b"], ["ab"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("i1;", 1),
    ],
)
def test_json_that_a_template_can_tell_apart_is_not_the_same(one: Any, other: Any) -> None:
    assert written(one) != written(other)


def every_string(letters: str, longest: int) -> list[str]:
    """All strings of these letters, up to a length."""
    return ["".join(parts) for length in range(longest + 1) for parts in itertools.product(letters, repeat=length)]


def every_list(items: list[Any], longest: int) -> list[list[Any]]:
    """All lists of these items, up to a length."""
    return [list(parts) for length in range(longest + 1) for parts in itertools.product(items, repeat=length)]


def nested_lists() -> list[list[Any]]:
    strings: list[Any] = ["", "l", "l0:", "s", "N"]
    inner = every_list(strings, 2)
    return every_list([*strings, *inner], 2) + [[one] for one in every_list(inner, 2)]


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (tuple[str, ...], every_list(every_string("s1:", 3), 3)),
        (Any, every_list(every_string("s1:", 3), 2)),
        (Any, [dict(zip("ab", pair, strict=True)) for pair in itertools.product(every_string("sb1:", 3), repeat=2)]),
        (tuple[int, ...], every_list([0, 1, 16, 17, 272, -1], 4)),
        (tuple[tuple[str, ...], ...], every_list(every_list(["", "s", "l", "l1:"], 2), 3)),
        (Any, nested_lists()),
    ],
    ids=["strings", "json strings", "json members", "integers", "lists of strings", "json lists"],
)
def test_of_all_small_values_none_has_bytes_that_another_ones_begin_with(annotation: Any, values: list[Any]) -> None:
    """Exhaustive over letters that the encoding uses itself. So values one after the other cannot be read two ways."""
    write = canonical.by_type(annotation)
    found = sorted({repr(value): canonical.encoded(write, value) for value in values}.values())
    assert [(one, other) for one, other in itertools.pairwise(found) if other.startswith(one)] == []


def test_integers_of_any_size_and_lone_surrogates_have_bytes() -> None:
    assert len({written(10**5000), written(10**5000 + 1), written(-(10**5000))}) == 3
    assert written("\ud800") != written("\ud801")


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="complex is no JSON"):
        written({"a": [1j]})


def test_a_number_is_the_same_as_integer_and_with_either_zero() -> None:
    def share(value: float) -> bytes:
        return canonical.encoded(OLD, _Old("a", share=value))

    assert share(1) == share(1.0) == share(float("1"))
    assert share(0) == share(0.0) == share(-0.0)
    assert share(0.1) != share(0.1 + 2**-56)


def test_a_mapping_of_numbers_has_no_order() -> None:
    one, other = _Old("a", limits={1: 2.0, 3: 4.0}), _Old("a", limits={3: 4, 1: 2})
    assert canonical.encoded(OLD, one) == canonical.encoded(OLD, other)


def test_a_default_that_is_given_is_the_same_as_one_that_is_not() -> None:
    given_ = _Old("a", share=float("1.0"), limits={})
    assert canonical.encoded(OLD, given_) == canonical.encoded(OLD, _Old("a"))


def test_a_structure_with_another_field_is_another_structure() -> None:
    assert canonical.encoded(canonical.structure(_New), _New("a")) != canonical.encoded(OLD, _Old("a"))


def test_a_field_with_another_name_is_another_field() -> None:
    one, other = (msgspec.defstruct("Same", [(name, str)]) for name in ("before", "after"))
    bytes_of = [canonical.encoded(canonical.structure(kind), kind("a")) for kind in (one, other)]
    assert bytes_of[0] != bytes_of[1]


def test_a_field_of_a_type_without_a_rule_stops_the_program() -> None:
    with pytest.raises(TypeError, match="no rule says when two values"):
        canonical.structure(_Unruly)
    with pytest.raises(TypeError, match="no rule for a union"):
        canonical.by_type(str | int | None)
