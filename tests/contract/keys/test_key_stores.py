"""What every key store promises."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access.key_store import KeyStore
from podium.access.overrides import QuotaOverrides
from podium.core.errors import Conflict, NotFound
from podium.core.identity import Quotas
from support.keys import NOW, StoreSubject, new_key

FULL = {
    "roles": ("infer", "metrics"),
    "models": ("demo", "owner/name"),
    "quotas": Quotas(requests_per_minute=5, budget_per_day=0.5),
    "weight": 2.5,
    "priority": -3,
    "note": "Zoë's shop\n",
    "expires_at": NOW + 0.25,
}


def test_a_store_that_was_never_written_is_empty_and_has_no_version(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as store:
            assert await store.version() is None
            snapshot = await store.snapshot()
            assert (snapshot.version, snapshot.records, snapshot.overrides) == (None, {}, QuotaOverrides())

    uvloop.run(main())


def test_a_key_comes_back_with_every_member(subject: StoreSubject) -> None:
    async def main() -> None:
        _, plain = new_key()
        _, full = new_key(**FULL)
        async with subject.open() as store, subject.open() as other:
            await store.add(plain)
            await store.add(full)
            for place in (store, other):
                assert (await place.snapshot()).records == {plain.id: plain, full.id: full}

    uvloop.run(main())


def test_every_write_is_seen_in_the_version_by_its_writer_and_by_others(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        _, successor = new_key(rotated_from=record.id)
        async with subject.open() as store, subject.open() as other:
            seen = [await other.version()]
            for write in (
                store.add(record),
                store.change_rights(record),
                store.set_override("tenant", "acme", Quotas()),
                store.set_override("tenant", "acme", None),
                store.rotate(successor, old_ends_at=None),
                store.revoke(successor.id, NOW),
            ):
                await write
                assert await store.version() == await other.version() == (await other.snapshot()).version
                seen.append(await other.version())
        versions = [version for version in seen if version is not None]
        assert len(versions) == len(seen) - 1
        assert len({version.epoch for version in versions}) == 1
        assert all(before.number < after.number for before, after in itertools.pairwise(versions))

    uvloop.run(main())


def test_nothing_changes_in_the_version_while_nothing_is_written(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as store, subject.open() as other:
            await store.add(new_key()[1])
            assert await store.version() == await other.version() == await other.version() == await store.version()

    uvloop.run(main())


def test_an_id_is_taken_once(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            with pytest.raises(Conflict):
                await store.add(msgspec.structs.replace(record, tenant="evil"))
            assert (await store.snapshot()).records[record.id].tenant == "acme"

    uvloop.run(main())


def test_a_revocation_is_final_and_keeps_its_first_time(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            await store.revoke(record.id, NOW + 1)
            await store.revoke(record.id, NOW + 2)
            await store.change_rights(record)  # as read before it was revoked
            found = (await store.snapshot()).records[record.id]
            assert found.revoked_at == NOW + 1

    uvloop.run(main())


def test_changed_rights_replace_the_old_ones_and_nothing_else(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key(expires_at=NOW + 9)
        async with subject.open() as store:
            await store.add(record)
            changed = msgspec.structs.replace(record, quotas=Quotas(tokens_per_day=1), expires_at=None, note="new")
            await store.change_rights(changed)
            found = (await store.snapshot()).records[record.id]
            assert found == msgspec.structs.replace(changed, expires_at=NOW + 9)

    uvloop.run(main())


def test_a_change_of_rights_ends_no_key(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            await store.change_rights(msgspec.structs.replace(record, expires_at=NOW, revoked_at=NOW))
            assert (await store.snapshot()).records[record.id] == record

    uvloop.run(main())


def test_a_rotated_key_goes_on_until_its_end(subject: StoreSubject) -> None:
    async def main() -> None:
        _, old = new_key(expires_at=NOW + 900)
        _, new = new_key(rotated_from=old.id)
        async with subject.open() as store:
            await store.add(old)
            await store.rotate(new, old_ends_at=NOW + 60)
            records = (await store.snapshot()).records
            assert records[old.id].expires_at == NOW + 60
            assert records[old.id].is_valid(NOW + 59)
            assert records[new.id] == new

    uvloop.run(main())


def test_a_rotation_without_grace_revokes_the_old_key(subject: StoreSubject) -> None:
    async def main() -> None:
        _, old = new_key()
        _, new = new_key(rotated_from=old.id, created_at=NOW + 5)
        async with subject.open() as store:
            await store.add(old)
            await store.rotate(new, old_ends_at=None)
            assert (await store.snapshot()).records[old.id].revoked_at == NOW + 5

    uvloop.run(main())


def test_what_is_not_there_cannot_be_changed(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        _, successor = new_key(rotated_from=record.id)
        async with subject.open() as store:
            for write in (
                store.revoke(record.id, NOW),
                store.change_rights(record),
                store.rotate(successor, old_ends_at=None),
            ):
                with pytest.raises(NotFound, match="podium keys list"):
                    await write
            assert (await store.snapshot()).records == {}

    uvloop.run(main())


def test_overrides_are_set_and_taken_away_by_kind_and_name(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as store:
            await store.set_override("tenant", "acme", Quotas(tokens_per_minute=5))
            await store.set_override("model", "owner/name:x", Quotas(concurrent_requests=1))
            await store.set_override("model", "acme", Quotas())
            overrides = (await store.snapshot()).overrides
            assert overrides.tenants == {"acme": Quotas(tokens_per_minute=5)}
            assert overrides.models == {"owner/name:x": Quotas(concurrent_requests=1), "acme": Quotas()}
            await store.set_override("tenant", "acme", None)
            await store.set_override("tenant", "never-there", None)
            assert (await store.snapshot()).overrides.tenants == {}

    uvloop.run(main())


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id":"0123456789abcdef"}', b"null", b'{"secret_member":1}']
)
def test_an_entry_that_cannot_be_read_opens_nothing_and_stands_in_nobodys_way(
    subject: StoreSubject, log: LogCapture, text: bytes
) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            subject.put("key:0123456789abcdef", text)
            subject.put("tenant:acme", text.replace(b"{", b"["))
            snapshot = await store.snapshot()
            await store.snapshot()
            assert snapshot.records == {record.id: record}
            assert snapshot.overrides.tenants == {}

    uvloop.run(main())
    told = [entry for entry in log.entries if entry["event"] == "unreadable entry in the key store"]
    assert sorted(entry["kind"] for entry in told) == ["key", "tenant"]
    assert "secret_member" not in str(log.entries)


def test_a_record_under_another_id_is_nobodys(subject: StoreSubject) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            subject.put("key:0123456789abcdef", msgspec.json.encode(record))
            assert set((await store.snapshot()).records) == {record.id}

    uvloop.run(main())


@pytest.mark.parametrize("text", [b"soon", b"nan", b"inf", b"", b"-inf"])
@pytest.mark.parametrize("end", ["revoked", "expires"])
def test_an_end_that_cannot_be_read_is_an_end(subject: StoreSubject, end: str, text: bytes) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as store:
            await store.add(record)
            subject.put(f"{end}:{record.id}", text)
            assert not (await store.snapshot()).records[record.id].is_valid(NOW)

    uvloop.run(main())


def test_a_version_that_cannot_be_read_is_none(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as store:
            await store.add(new_key()[1])
            subject.put("epoch", b"\xff")
            assert await store.version() is None
            assert (await store.snapshot()).version is None

    uvloop.run(main())


def test_a_snapshot_is_of_one_version_while_others_write(subject: StoreSubject) -> None:
    """Each write adds one key and one to the number, so a torn snapshot would show."""

    async def add(store: KeyStore) -> None:
        for _ in range(40):
            await store.add(new_key()[1])

    async def main() -> None:
        async with subject.open() as reader, subject.open() as writer, asyncio.TaskGroup() as group:
            await writer.add(new_key()[1])
            task = group.create_task(add(writer), name="writer")
            while not task.done():
                snapshot = await reader.snapshot()
                assert snapshot.version is not None
                assert len(snapshot.records) == snapshot.version.number

    uvloop.run(main())


def test_writers_at_the_same_time_lose_nothing(subject: StoreSubject) -> None:
    async def main() -> None:
        records = [new_key()[1] for _ in range(20)]
        async with subject.open() as first, subject.open() as second:
            await asyncio.gather(*((first, second)[i % 2].add(record) for i, record in enumerate(records)))
            snapshot = await first.snapshot()
            assert set(snapshot.records) == {record.id for record in records}
            assert snapshot.version is not None
            assert snapshot.version.number == 20

    uvloop.run(main())


def test_a_store_that_was_begun_anew_has_another_epoch(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as reader:
            async with subject.open() as writer:
                await writer.add(new_key()[1])
                before = await reader.version()
            subject.begin_anew()
            assert await reader.version() is None
            assert (await reader.snapshot()).records == {}
            async with subject.open() as writer:
                await writer.add(new_key()[1])
            after = await reader.version()
            assert before is not None
            assert after is not None
            assert before.epoch != after.epoch
            assert after.number == 1

    uvloop.run(main())


def test_nothing_that_is_kept_holds_a_key(subject: StoreSubject) -> None:
    async def main() -> None:
        text, record = new_key(note="planted")
        async with subject.open() as store:
            await store.add(record)
            kept = subject.content()
            assert record.id.encode() in kept
            assert text.encode() not in kept
            assert text[-43:].encode() not in kept

    uvloop.run(main())
