"""Usage outlives its process, and a disk that fails stops nobody."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access import usage_journal
from podium.access.embedded_ledger import EmbeddedLedger
from podium.access.ledger import Used
from podium.access.usage import Payer, Tally, UsageRow
from podium.access.usage_file import PastUse, UsageBatch, UsageFile
from podium.access.usage_journal import UsageJournal
from podium.core.errors import Unavailable
from support.ledgers import PAYER, TestClock, admitted, ask, eventually, limit, refused, renew, settle, used_of

OTHER = Payer("other", "key-2", "echo")
DAY = 86_400.0
FOR_EVER = 40 * DAY


@dataclass
class Wall:
    """A wall clock that is set by hand."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def _journal(path: Path | None, *, wall: Wall | None = None, create: bool = True) -> AsyncIterator[UsageJournal]:
    journal = UsageJournal(path, create=create and path is not None, wall=wall or Wall(), pause_seconds=0.001)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.aclose()


async def _written(journal: UsageJournal) -> None:
    await eventually(lambda: not journal.pending)


async def _rows(journal: UsageJournal, since_seconds: float = FOR_EVER) -> list[UsageRow]:
    return await journal.usage(since_seconds=since_seconds)


def _count(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - from the test
    connection.close()
    return found


def test_what_was_counted_is_there_in_the_next_process(tmp_path: Path) -> None:
    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            for _ in range(3):
                journal.add("r", PAYER, Tally(1, 0, 10, 5, 7))
            journal.add("r", OTHER, Tally(1, 1))
        async with _journal(tmp_path / "u.db") as journal:
            assert await _rows(journal) == [
                UsageRow("acme", "key-1", "echo", 3, 30, 15, 0, 21e-6),
                UsageRow("other", "key-2", "echo", 1, 0, 0, 1, 0.0),
            ]

    uvloop.run(main())


def test_many_requests_of_one_payer_are_one_row(tmp_path: Path) -> None:
    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            for number in range(1000):
                journal.add(str(number), PAYER, Tally(1, 0, 1, 1, 1))
            assert journal.pending == 1
        assert _count(tmp_path / "u.db", "usage_quarters") == 1

    uvloop.run(main())


def test_usage_is_asked_by_whole_hours(tmp_path: Path) -> None:
    async def main() -> None:
        wall = Wall(1_800_000_000.0)  # on the hour
        async with _journal(tmp_path / "u.db", wall=wall) as journal:
            for hour in range(3):
                wall.now = 1_800_000_000.0 + hour * 3600 + 1800
                journal.add("r", PAYER, Tally(1))
            for since, expected in ((0, 1), (1800, 1), (1801, 2), (3601, 2), (5401, 3)):
                assert (await _rows(journal, since))[0].requests == expected

    uvloop.run(main())


def test_the_file_is_not_made_by_itself_and_used_once_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "u.db"

    async def main() -> None:
        async with _journal(path, create=False) as journal:
            journal.add("a", PAYER, Tally(1))
            journal.note("b", PAYER, Used(1, 2))
            await _written(journal)
            assert (await _rows(journal))[0].requests == 1
            assert not path.exists()
            path.touch()  # as by the first key
            journal.add("c", PAYER, Tally(1))
            await _written(journal)
            assert (_count(path, "usage_quarters"), _count(path, "usage_running")) == (1, 1)
            journal.add("b", PAYER, Tally(1, 0, 1, 4))
        async with _journal(path, create=False) as journal:
            assert [(row.requests, row.output_tokens) for row in await _rows(journal)] == [(3, 4)]
        assert _count(path, "usage_running") == 0

    uvloop.run(main())


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            journal.add("a", PAYER, Tally(1))
            await _written(journal)
            modes.update(file.stat().st_mode & 0o077 for file in list_of(tmp_path))

    def list_of(folder: Path) -> list[Path]:
        return list(folder.iterdir())

    modes: set[int] = set()
    uvloop.run(main())
    assert modes == {0}


_RUN_UNTIL_KILLED = """
import asyncio, json, sys
from pathlib import Path
from podium.access.ledger import Used
from podium.access.usage import Payer, Tally
from podium.access.usage_journal import UsageJournal

async def main():
    journal = UsageJournal(Path(sys.argv[1]), create=True, pause_seconds=0.001)
    await journal.open()
    payer = Payer("acme", "key-1", "echo")
    journal.add("ended", payer, Tally(1, 0, 10, 5, 0))
    for request in ("one", "two", "three"):
        journal.note(request, payer, Used(7, 3))
    journal.note("one", payer, Used(7, 30))
    journal.note("two", payer, Used(7, 20))
    journal.add("two", payer, Tally(1, 0, 7, 21, 0))
    while journal.pending:
        await asyncio.sleep(0.001)
    print("written", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@contextmanager
def _process_that_runs_requests(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _RUN_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "written\n"
            yield process
        finally:
            process.kill()


def test_the_requests_of_a_killed_process_are_ended_with_their_last_progress(tmp_path: Path) -> None:
    path = tmp_path / "u.db"
    with _process_that_runs_requests(path) as process:
        process.kill()
        process.wait()

    async def main() -> None:
        for _ in range(2):  # once
            journal = UsageJournal(path)
            past = await journal.open()
            row = (await journal.usage(since_seconds=3600))[0]
            assert (row.requests, row.prompt_tokens, row.output_tokens) == (4, 10 + 7 * 3, 5 + 21 + 30 + 3)
            tokens = [one for one in past if (one.quota, one.scope) == ("tokens_per_day", "key")]
            assert [(one.name, one.amount) for one in tokens] == [("key-1", 31 + 59)]
            await journal.aclose()

    uvloop.run(main())


def test_the_requests_of_a_process_that_lives_are_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "u.db"

    async def main() -> None:
        with _process_that_runs_requests(path):
            journal = UsageJournal(path)
            await journal.open()
            assert [row.requests for row in await journal.usage(since_seconds=3600)] == [2]
            await journal.aclose()
            assert _count(path, "usage_running") == 2

    uvloop.run(main())


def test_a_process_that_was_taken_for_dead_counts_its_requests_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            journal.note("a", PAYER, Used(10, 20))
            await _written(journal)
            with sqlite3.connect(tmp_path / "u.db") as connection:  # as another process that cannot see this one
                connection.execute("UPDATE usage_running SET pid = 1 << 22")
            connection.close()
            async with _journal(tmp_path / "u.db") as other:
                assert (await _rows(other))[0].output_tokens == 20
            journal.add("a", PAYER, Tally(1, 0, 10, 50))
            await _written(journal)
            assert [(row.requests, row.output_tokens) for row in await _rows(journal)] == [(1, 50)]

    uvloop.run(main())


def test_a_file_that_cannot_be_written_stops_nobody_and_loses_nothing(tmp_path: Path, log: LogCapture) -> None:
    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            journal.add("a", PAYER, Tally(1))
            await _written(journal)
            locked = sqlite3.connect(tmp_path / "u.db", isolation_level=None)
            locked.execute("BEGIN IMMEDIATE")
            journal.add("b", PAYER, Tally(1, 0, 5, 5))
            async with asyncio.timeout(10):
                while not journal.failures:
                    journal.add("more", PAYER, Tally(1))
                    await asyncio.sleep(0.01)
            assert (await _rows(journal))[0].prompt_tokens == 5  # what waits is told as well
            locked.execute("ROLLBACK")
            locked.close()
            await _written(journal)
            (row,) = await _rows(journal)
            assert row.prompt_tokens == 5
            assert row.requests > 2

    uvloop.run(main())
    told = [(entry["log_level"], entry["event"]) for entry in log.entries]
    assert told == [("error", "usage cannot be written"), ("warning", "usage is written again")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["/bin/umount", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 512):
            continue


def test_a_full_disk_stops_nobody_and_loses_nothing(small_disk: Path) -> None:
    async def main() -> None:
        journal = UsageJournal(small_disk / "u.db", create=True, pause_seconds=0.001)
        async with EmbeddedLedger(journal, lease_seconds=30) as ledger:
            of = limit("tokens_per_day", 10**9)
            first = ask((of, 100))
            await admitted(ledger, first)
            _fill(small_disk)
            slowest = 0.0
            for number in range(500):
                begin = time.monotonic()
                payer = Payer("acme", f"key-{number}", "echo")
                one = ask((of, 10), payer=payer)
                await admitted(ledger, one)
                settle(ledger, one, output=10)
                slowest = max(slowest, time.monotonic() - begin)
                await asyncio.sleep(0)
            await eventually(lambda: ledger.facts().failures)
            assert slowest < 0.25
            assert sum(row.requests for row in await ledger.usage(since_seconds=3600)) == 500
            (small_disk / "filler").unlink()
            await _written(journal)
        async with EmbeddedLedger(UsageJournal(small_disk / "u.db"), lease_seconds=30) as ledger:
            assert sum(row.output_tokens for row in await ledger.usage(since_seconds=3600)) == 5000

    uvloop.run(main())


def test_a_file_that_is_no_database_stops_nobody(tmp_path: Path, log: LogCapture) -> None:
    (tmp_path / "u.db").write_bytes(b"not a database, but long enough to be looked at" * 100)

    async def main() -> None:
        async with EmbeddedLedger(UsageJournal(tmp_path / "u.db", pause_seconds=0.001), lease_seconds=30) as ledger:
            one = ask((limit("tokens_per_day", 100), 100))
            await admitted(ledger, one)
            settle(ledger, one, output=100)
            await refused(ledger, ask((limit("tokens_per_day", 100), 1)))
            with pytest.raises(Unavailable):
                await ledger.usage(since_seconds=10)

    uvloop.run(main())
    assert "usage cannot be written" in [entry["event"] for entry in log.entries]


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_journal, "MOST_PENDING", 10)

    async def main() -> None:
        async with _journal(tmp_path / "u.db") as journal:
            for number in range(15):
                journal.add("r", Payer("acme", f"key-{number}", "echo"), Tally(1))
                journal.note(f"run-{number}", PAYER, Used(1, 1))
            assert (journal.pending, journal.dropped) == (10, 10)
            journal.add("r", Payer("acme", "key-0", "echo"), Tally(1))  # one that is there already
            assert journal.dropped == 10
            await _written(journal)
            assert sum(row.requests for row in await _rows(journal)) == 6

    uvloop.run(main())


def test_a_jump_of_the_wall_clock_moves_no_window_and_loses_no_usage(tmp_path: Path) -> None:
    async def main() -> None:
        wall, clock = Wall(), TestClock()
        journal = UsageJournal(tmp_path / "u.db", create=True, wall=wall, pause_seconds=0.001)
        async with EmbeddedLedger(journal, lease_seconds=30, clock=clock) as ledger:
            of = limit("tokens_per_day", 100)
            for jump in (0.0, 3600.0, -7200.0, 5 * DAY):
                wall.now += jump
                one = ask((of, 10))
                await admitted(ledger, one)
                settle(ledger, one, output=10)
                await _written(journal)
            assert await used_of(ledger, of) == 40
            assert sum(row.requests for row in await ledger.usage(since_seconds=30 * DAY)) == 4

    uvloop.run(main())


def test_a_new_process_begins_with_what_the_windows_of_a_day_and_a_month_hold(tmp_path: Path) -> None:
    path, wall = tmp_path / "u.db", Wall()
    tokens = limit("tokens_per_day", 1000)
    tenant = limit("tokens_per_day", 1000, scope="tenant", name="acme")
    model = limit("tokens_per_day", 1000, scope="model", name="echo")
    today = limit("budget_per_day", 1000)
    month = limit("budget_per_30_days", 1000)

    async def used(at: float) -> list[float]:
        wall.now = at
        journal = UsageJournal(path, create=True, wall=wall)
        async with EmbeddedLedger(journal, lease_seconds=30, clock=TestClock()) as ledger:
            found = [await used_of(ledger, of) for of in (tokens, tenant, model, today, month)]
            return [*found[:3], *(round(money * 10**6) for money in found[3:])]

    async def main() -> None:
        begin = wall.now
        async with _journal(path, wall=wall) as journal:
            journal.add("a", PAYER, Tally(1, 0, 100, 200, 50))
            wall.now += 10 * DAY
            journal.add("b", PAYER, Tally(1, 0, 10, 20, 5))
        assert await used(begin + 10 * DAY + 60) == [30, 30, 30, 5, 55]
        assert await used(begin + 11 * DAY - 1) == [30, 30, 30, 5, 55]
        assert await used(begin + 11 * DAY + 2 * 900) == [0, 0, 0, 0, 55]
        assert await used(begin + 30 * DAY - 1) == [0, 0, 0, 0, 55]
        assert await used(begin + 31 * DAY) == [0, 0, 0, 0, 5]
        assert await used(begin + 9 * DAY) == [30, 30, 30, 5, 55]  # the wall clock was set back

    uvloop.run(main())


def test_old_quarters_are_put_together_and_very_old_ones_forgotten(tmp_path: Path) -> None:
    wall = Wall()
    file = UsageFile(tmp_path / "u.db", create=True, wall=wall)
    for quarter in range(8):
        batch = UsageBatch()
        batch.add(int(wall.now // 900) + quarter, PAYER, Tally(1, 1, 2, 3, 4))
        file.write(batch)
    file.clean_up()
    assert _count(tmp_path / "u.db", "usage_quarters") == 8
    for _ in range(2):
        wall.now += 2 * DAY + 7200
        file.clean_up()
        assert _count(tmp_path / "u.db", "usage_quarters") == 2
        assert file.tallies(0) == [(PAYER, Tally(8, 8, 16, 24, 32))]
    wall.now += 35 * DAY
    file.clean_up()
    assert _count(tmp_path / "u.db", "usage_quarters") == 0
    file.close()


def test_past_use_is_placed_late_rather_than_early(tmp_path: Path) -> None:
    wall = Wall(1_800_000_000.0 + 100)
    file = UsageFile(tmp_path / "u.db", create=True, wall=wall)
    batch = UsageBatch()
    batch.add(int(wall.now // 900), PAYER, Tally(1, 0, 1, 1, 1))
    file.write(batch)
    ages = {(past.quota, past.age_seconds) for past in _past(file)}
    assert ages == {("tokens_per_day", 0.0), ("budget_per_day", 0.0), ("budget_per_30_days", 0.0)}
    wall.now += 7 * 3600
    assert {past.age_seconds for past in _past(file) if past.quota != "budget_per_30_days"} == {7 * 3600 - 800}
    file.close()


def _past(file: UsageFile) -> list[PastUse]:
    return file.past_uses()


def test_a_batch_that_could_not_be_written_takes_in_what_came_later() -> None:
    older, newer = UsageBatch(), UsageBatch()
    older.add(1, PAYER, Tally(1))
    older.running.update({"a": (PAYER, Used(1, 1)), "b": (PAYER, Used(2, 2))})
    older.over.add("c")
    newer.add(1, PAYER, Tally(2))
    newer.running.update({"a": (PAYER, Used(9, 9)), "c": (PAYER, Used(3, 3))})
    newer.over.add("b")
    older.put_back(newer)
    assert older.tallies == {(1, PAYER): Tally(3)}
    assert older.running == {"a": (PAYER, Used(9, 9)), "c": (PAYER, Used(3, 3))}
    assert older.over == {"b"}


def test_progress_of_a_ledger_is_in_the_file_while_requests_run(tmp_path: Path) -> None:
    async def main() -> None:
        journal = UsageJournal(tmp_path / "u.db", create=True, pause_seconds=0.001)
        async with EmbeddedLedger(journal, lease_seconds=30) as ledger:
            runs = ask((limit("tokens_per_day", 100), 100))
            await admitted(ledger, runs)
            renew(ledger, runs, used=40, declared=60)
            await _written(journal)
            assert _count(tmp_path / "u.db", "usage_running") == 1
            settle(ledger, runs, output=50)
            await _written(journal)
            assert _count(tmp_path / "u.db", "usage_running") == 0

    uvloop.run(main())


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    async def main() -> None:
        journal = UsageJournal(tmp_path / "u.db")
        await journal.open()
        await journal.aclose()
        await journal.aclose()

    uvloop.run(main())
