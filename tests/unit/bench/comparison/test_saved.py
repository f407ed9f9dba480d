"""Runs from folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from podium.bench.comparison.saved import are_interleaved, require_same_load, runs_in
from podium.bench.result import save
from podium.core.errors import InvalidRequest, NotFound
from support.bench_runs import run_with


def at(second: int) -> str:
    return f"2026-11-27T12:00:{second:02d}"


def test_a_folder_of_runs_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    for name, second in (("b", 1), ("a", 2)):
        save(tmp_path / name, run_with(started_at=at(second)), [])
    assert [run.provenance.started_at for run in runs_in(tmp_path)] == [at(1), at(2)]
    assert len(runs_in(tmp_path / "a")) == 1


def test_a_folder_without_runs_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no run there"):
        runs_in(tmp_path)


def test_runs_form_pairs_only_when_they_were_taken_in_turns() -> None:
    a, b = ([run_with(started_at=at(second)) for second in times] for times in ((0, 3, 4), (1, 2, 5)))
    late = [run_with(started_at=at(second)) for second in (6, 7, 8)]
    assert are_interleaved(a, b)
    assert not are_interleaved(a, late)
    assert not are_interleaved(a, b[:2])


def test_runs_of_different_loads_are_not_compared() -> None:
    same = [run_with(plan={"load": 1, "seed": seed}) for seed in (1, 2)]
    require_same_load(same)
    with pytest.raises(InvalidRequest, match="differ in load"):
        require_same_load([*same, run_with(plan={"load": 2, "seed": 1})])
    chat = run_with(plan={"load": 1, "seed": 1})
    chat = msgspec.structs.replace(chat, provenance=msgspec.structs.replace(chat.provenance, dialect="chat"))
    whole = run_with(plan={"load": 1, "seed": 1, "target": {"streamed": False}})
    for other, words in ((chat, "differ in api"), (whole, "differ in whether answers are streamed")):
        with pytest.raises(InvalidRequest, match=words):
            require_same_load([*same, other])
