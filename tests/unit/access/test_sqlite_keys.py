from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from podium.access.sqlite_keys import SqliteKeyStore
from podium.core.errors import NotFound, Unavailable
from support.keys import NOW, new_key


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteKeyStore]:
    store = SqliteKeyStore(path)
    try:
        yield store
    finally:
        await store.aclose()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_reading_makes_no_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "podium.db") as store:
            await store.version()
            await store.snapshot()

    uvloop.run(main())
    assert list(tmp_path.iterdir()) == []


def test_changing_what_is_not_there_makes_no_file(tmp_path: Path) -> None:
    async def main() -> None:
        _, record = new_key()
        async with opened(tmp_path / "podium.db") as store:
            for change in (store.revoke(record.id, NOW), store.change_rights(record)):
                with pytest.raises(NotFound):
                    await change
            await store.set_override("tenant", "acme", None)

    uvloop.run(main())
    assert list(tmp_path.iterdir()) == []


def test_the_file_and_its_side_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:

        async def main() -> None:
            async with opened(tmp_path / "podium.db") as store:
                await store.add(new_key()[1])
                assert modes(tmp_path) == {"podium.db": 0o600, "podium.db-wal": 0o600, "podium.db-shm": 0o600}

        uvloop.run(main())
    finally:
        os.umask(before)


def test_looking_for_a_change_reads_no_table(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "podium.db") as store, opened(tmp_path / "podium.db") as other:
            await store.add(new_key()[1])
            await other.version()
            statements: list[str] = []
            connection = other._connection
            assert connection is not None
            connection.set_trace_callback(statements.append)
            for _ in range(3):
                await other.version()
            assert set(statements) == {"PRAGMA data_version"}

    uvloop.run(main())


def test_writes_of_others_to_the_same_file_are_no_change_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "podium.db"

    async def main() -> None:
        async with opened(path) as store:
            await store.add(new_key()[1])
            before = await store.version()
            with contextlib.closing(sqlite3.connect(path)) as other, other:
                other.execute("CREATE TABLE elsewhere (x)")
            assert await store.version() == before

    uvloop.run(main())


def test_a_file_that_was_made_for_something_else_holds_no_keys_until_one_is_added(tmp_path: Path) -> None:
    path = tmp_path / "podium.db"
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE elsewhere (x)")

    async def main() -> None:
        async with opened(path) as store:
            assert await store.version() is None
            assert (await store.snapshot()).records == {}
            _, record = new_key()
            await store.add(record)
            assert (await store.snapshot()).records == {record.id: record}

    uvloop.run(main())


def test_a_file_in_the_place_of_another_one_is_read(tmp_path: Path) -> None:
    path, spare = tmp_path / "podium.db", tmp_path / "spare.db"
    _, first = new_key()
    _, second = new_key()

    async def main() -> None:
        async with opened(spare) as store:
            await store.add(second)
        async with opened(path) as store:
            await store.add(first)
        async with opened(path) as store:
            assert set((await store.snapshot()).records) == {first.id}
            spare.replace(path)
            assert set((await store.snapshot()).records) == {second.id}

    uvloop.run(main())


def test_all_work_is_done_in_one_thread_that_ends(tmp_path: Path) -> None:
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("key store")]

    async def main() -> None:
        store = SqliteKeyStore(tmp_path / "podium.db")
        for _ in range(3):
            await store.add(new_key()[1])
        assert len(threads()) == 1
        await store.aclose()
        await store.aclose()
        assert threads() == []

    uvloop.run(main())


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one " * 100, b"SQLite format 3\0" + b"x" * 4096]
)
def test_a_file_that_is_no_database_is_a_store_that_is_away(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "podium.db"
    path.write_bytes(content)

    async def main() -> None:
        async with opened(path) as store:
            for call in (store.version(), store.snapshot(), store.add(new_key()[1])):
                with pytest.raises(Unavailable, match=r"access\.database") as caught:
                    await call
                assert str(tmp_path) not in caught.value.message

    uvloop.run(main())
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_a_store_that_is_away_for_writers(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "none" / "podium.db") as store:
            assert await store.version() is None
            with pytest.raises(Unavailable):
                await store.add(new_key()[1])

    uvloop.run(main())


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "podium.db"

    async def main() -> None:
        _, old = new_key()
        _, new = new_key(rotated_from=old.id)
        async with opened(path) as store:
            await store.add(old)
            before = await store.snapshot()
            with contextlib.closing(sqlite3.connect(path)) as other, other:
                other.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON key_fields WHEN NEW.field LIKE 'expires:%' "
                    "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
                )
            with pytest.raises(Unavailable):
                await store.rotate(new, old_ends_at=NOW)
            assert await store.snapshot() == before

    uvloop.run(main())


def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=ro#%41.db"

    async def main() -> None:
        async with opened(path) as store:
            await store.add(new_key()[1])

    uvloop.run(main())
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
