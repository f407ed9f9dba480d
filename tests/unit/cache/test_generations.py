"""Marks in the shared store: what clears which answers."""

from __future__ import annotations

from typing import Any

import pytest

from podium.cache.generations import Generations, public_name

MARKS = Generations("podium")


def test_an_answer_depends_on_the_marks_of_everything_its_tenant_its_model_and_both() -> None:
    read = MARKS.read("acme", "demo")
    for model, tenant in ((None, None), ("demo", None), (None, "acme"), ("demo", "acme")):
        assert MARKS.renew(model=model, tenant=tenant)[2] in read
    for model, tenant in (("other", None), (None, "other"), ("demo", "other"), ("other", "acme"), ("acme", "demo")):
        assert MARKS.renew(model=model, tenant=tenant)[2] not in read


def test_a_new_mark_is_never_an_old_one() -> None:
    assert len({MARKS.renew(model=None, tenant=None)[3] for _ in range(1000)}) == 1000


def test_a_stamp_changes_with_any_mark() -> None:
    stamps = {
        Generations.stamp([b"a" * 16, None, None, None]),
        Generations.stamp([b"b" * 16, None, None, None]),
        Generations.stamp([b"a" * 16, b"a" * 16, None, None]),
        Generations.stamp([b"a" * 16, None, b"a" * 16, None]),
        Generations.stamp([b"a" * 16, None, None, b"a" * 16]),
    }
    assert len(stamps) == 5
    assert b"" not in stamps


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        b"text",
        [],
        [None] * 4,
        [None, b"a" * 16, None, None],
        [b"", None, None, None],
        [b"a" * 16] * 3,
        [b"a" * 16, 7, None, None],
        [b"a" * 999, None, None, None],
    ],
)
def test_without_a_mark_for_everything_or_with_nonsense_there_is_no_stamp(answer: Any) -> None:
    assert Generations.stamp(answer) == b""


def test_a_public_name_tells_nothing_and_is_another_one_for_each_kind() -> None:
    assert "acme" not in public_name("tenant", "acme")
    assert public_name("tenant", "acme") != public_name("model", "acme")
