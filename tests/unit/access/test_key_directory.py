from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access.key_directory import KeyDirectory
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeySnapshot, StoreVersion
from podium.access.overrides import QuotaOverrides
from podium.core.errors import Unavailable
from podium.core.identity import Quotas
from support.keys import NOW, new_key


class Source:
    """A store of which the test is the whole inside."""

    def __init__(self, *records: KeyRecord) -> None:
        self.kept = KeySnapshot(StoreVersion("e", 1), {record.id: record for record in records})
        self.away = False
        self.snapshots = 0
        self.closed = False

    def write(self, *records: KeyRecord, overrides: QuotaOverrides | None = None) -> None:
        assert self.kept.version is not None
        version = StoreVersion(self.kept.version.epoch, self.kept.version.number + 1)
        changed = {**self.kept.records, **{record.id: record for record in records}}
        self.kept = KeySnapshot(version, changed, overrides or self.kept.overrides)

    async def version(self) -> StoreVersion | None:
        self._check()
        return self.kept.version

    async def snapshot(self) -> KeySnapshot:
        self._check()
        self.snapshots += 1
        return self.kept

    async def aclose(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.away:
            raise Unavailable("The key store does not answer.")


def following(source: Source, body: Callable[[KeyDirectory], Awaitable[None]]) -> None:
    """Run ``body`` with a directory that looks only when the test says so."""

    async def main() -> None:
        async with KeyDirectory(source, refresh_seconds=3600.0) as directory:
            await body(directory)

    uvloop.run(main())


def test_everything_is_read_once_and_then_only_after_a_change() -> None:
    source = Source(new_key()[1])

    async def body(directory: KeyDirectory) -> None:
        for _ in range(10):
            await directory.refresh()
        assert source.snapshots == 1
        source.write(new_key()[1])
        await directory.refresh()
        await directory.refresh()
        assert source.snapshots == 2
        assert len(directory.records) == 2

    following(source, body)


def test_a_store_that_is_away_at_the_start_is_told_and_looked_for(log: LogCapture) -> None:
    _, record = new_key()
    source = Source(record)
    source.away = True

    async def body(directory: KeyDirectory) -> None:
        seen = [directory.loaded]
        assert directory.unseen_seconds() is None
        await directory.refresh()
        source.away = False
        await directory.refresh()
        assert [*seen, directory.loaded] == [False, True]
        assert directory.find(record.id) == record

    following(source, body)
    assert [entry["event"] for entry in log.entries] == ["key store away", "key store back"]


def test_while_the_store_is_away_what_was_known_goes_on_being_true(log: LogCapture) -> None:
    _, record = new_key()
    source = Source(record)

    async def body(directory: KeyDirectory) -> None:
        source.away = True
        source.write(msgspec.structs.replace(record, revoked_at=NOW))
        for _ in range(3):
            await directory.refresh()
        assert directory.loaded
        assert directory.find(record.id) == record
        source.away = False
        await directory.refresh()
        assert directory.records[record.id].revoked_at == NOW

    following(source, body)
    assert [entry["event"] for entry in log.entries] == ["key store away", "key store back"]


def test_it_is_known_how_old_the_knowledge_is() -> None:
    now = [100.0]
    source = Source()

    async def main() -> None:
        async with KeyDirectory(source, 3600.0, clock=lambda: now[0]) as directory:
            now[0] = 102.5
            assert directory.unseen_seconds() == 2.5
            await directory.refresh()
            assert directory.unseen_seconds() == 0.0

    uvloop.run(main())


@pytest.mark.parametrize("version", [None, StoreVersion("other", 9), StoreVersion("e", 0)])
def test_a_loss_is_told_once_and_empties_nothing(log: LogCapture, version: StoreVersion | None) -> None:
    _, first = new_key()
    _, second = new_key()
    overrides = QuotaOverrides(tenants={"acme": Quotas(tokens_per_day=1)})
    source = Source(first, second)
    source.kept = msgspec.structs.replace(source.kept, overrides=overrides)

    async def body(directory: KeyDirectory) -> None:
        source.kept = KeySnapshot(version, {first.id: first})
        for _ in range(3):
            await directory.refresh()
        assert set(directory.records) == {first.id, second.id}
        assert directory.overrides() == overrides
        assert directory.has_keys

    following(source, body)
    (entry,) = log.entries
    assert (entry["event"], entry["log_level"], entry["missing_keys"]) == ("key store lost data", "error", 1)


def test_a_restored_store_is_complete_again_and_a_second_loss_is_told_again(log: LogCapture) -> None:
    _, record = new_key()
    source = Source(record)
    whole = source.kept

    async def body(directory: KeyDirectory) -> None:
        for kept in (KeySnapshot(), whole, KeySnapshot(), whole):
            source.kept = kept
            await directory.refresh()
            assert directory.find(record.id) == record

    following(source, body)
    assert [entry["event"] for entry in log.entries] == ["key store lost data"] * 2


def test_a_revocation_that_is_missing_in_the_store_still_holds() -> None:
    _, record = new_key()
    source = Source(msgspec.structs.replace(record, revoked_at=NOW))

    async def body(directory: KeyDirectory) -> None:
        source.write(record)
        await directory.refresh()
        assert directory.records[record.id].revoked_at == NOW

    following(source, body)


def test_an_override_that_is_taken_away_is_gone() -> None:
    source = Source()
    source.write(overrides=QuotaOverrides(models={"demo": Quotas(concurrent_requests=1)}))

    async def body(directory: KeyDirectory) -> None:
        assert directory.overrides().models
        source.write(overrides=QuotaOverrides(tenants={"acme": Quotas()}))
        await directory.refresh()
        assert directory.overrides() == QuotaOverrides(tenants={"acme": Quotas()})

    following(source, body)


def test_keys_that_have_ended_are_keys_too() -> None:
    _, record = new_key(revoked_at=NOW)

    async def body(directory: KeyDirectory) -> None:
        assert directory.has_keys

    following(Source(record), body)


def test_leaving_ends_the_task_and_closes_the_store() -> None:
    source = Source()

    async def main() -> None:
        async with KeyDirectory(source, 0.01):
            assert "key directory" in {task.get_name() for task in asyncio.all_tasks()}
        assert "key directory" not in {task.get_name() for task in asyncio.all_tasks()}

    uvloop.run(main())
    assert source.closed


def test_records_cannot_be_changed_by_those_who_read_them() -> None:
    async def body(directory: KeyDirectory) -> None:
        with pytest.raises(TypeError):
            directory.records["x"] = new_key()[1]  # type: ignore[index]

    following(Source(), body)
