"""Servers of batches that are killed with SIGKILL, at chosen and at random moments."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium.batches.keeper import BatchKeeper
from podium.core.batch import StoredBatch
from support.batches import contents, keeper_of, known, numbered, ordered, results
from support.deadline import until
from support.on_loop import on_loop

LINES = 300
KILLS = 5


@contextmanager
def server(folder: Path, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works through the batches of ``folder``; killed in the end."""
    command = [sys.executable, "-m", "support.batch_process", str(folder), *map(str, words)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(keeper: BatchKeeper, batch: StoredBatch) -> StoredBatch:
    until("the batch has ended", lambda: known(keeper, batch).ended, seconds=60)
    return known(keeper, batch)


def check(keeper: BatchKeeper, batch: StoredBatch) -> None:
    """Every line has exactly one result, in the right file, and the counts say so."""
    output, errors = contents(keeper, batch)
    assert sorted(results(output, errors), key=int) == [str(number) for number in range(LINES)]
    assert set(results(errors)) == {str(number) for number in range(LINES) if number % 10 == 7}
    assert (batch.status, batch.total) == ("completed", LINES)
    assert (batch.completed, batch.failed) == (LINES * 9 // 10, LINES // 10)


@on_loop
async def test_killed_at_random_moments_no_line_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    rng = random.Random(68)  # noqa: S311 - moments, not secrets
    keeper = keeper_of(tmp_path)
    batch = await ordered(keeper, numbered(LINES))
    for kill in range(KILLS):
        wanted = rng.randrange(LINES * kill // KILLS, LINES * (kill + 1) // KILLS)
        with server(tmp_path, 0.002) as process:
            until("some lines have results", lambda: known(keeper, batch).completed >= wanted * 9 // 10)  # noqa: B023
            process.kill()
            process.wait()
    with server(tmp_path, 0.0):
        check(keeper, ended(keeper, batch))
    await keeper.aclose()


@pytest.mark.parametrize("point", ["written", "kept"])
def test_killed_while_the_files_are_made_they_are_made_again(point: str, tmp_path: Path) -> None:
    @on_loop
    async def scenario() -> None:
        keeper = keeper_of(tmp_path)
        batch = await ordered(keeper, numbered(LINES))
        with server(tmp_path, 0.0, point) as process:
            assert process.wait(30) == -9
        found = known(keeper, batch)
        assert found.status == "finalizing"
        with server(tmp_path, 0.0):
            check(keeper, ended(keeper, batch))
        assert len(list((tmp_path / "files").iterdir())) == 3
        await keeper.aclose()

    scenario()


@on_loop
async def test_a_batch_of_a_killed_server_goes_on_at_once_in_another(tmp_path: Path) -> None:
    keeper = keeper_of(tmp_path)
    batch = await ordered(keeper, numbered(LINES))
    with server(tmp_path, 0.05) as first:
        until("the first one has begun", lambda: known(keeper, batch).completed)
        with server(tmp_path, 0.0):
            assert not known(keeper, batch).ended
            first.kill()
            check(keeper, ended(keeper, batch))
    await keeper.aclose()
