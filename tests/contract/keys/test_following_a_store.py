"""A directory follows its store, wherever keys are kept."""

from __future__ import annotations

import msgspec
import uvloop
from structlog.testing import LogCapture

from podium.access.key_directory import KeyDirectory
from podium.core.identity import Quotas
from support.deadline import soon
from support.keys import NOW, StoreSubject, new_key

REFRESH_SECONDS = 0.02


def test_a_directory_knows_what_was_there_and_sees_what_comes(subject: StoreSubject) -> None:
    async def main() -> None:
        _, first = new_key()
        _, second = new_key()
        async with subject.open() as writer, subject.open() as source:
            await writer.add(first)
            async with KeyDirectory(source, REFRESH_SECONDS) as directory:
                assert directory.loaded
                assert directory.find(first.id) == first
                assert directory.find(second.id) is None
                await writer.add(second)
                await soon("the second key", lambda: directory.find(second.id) == second)
                await writer.revoke(first.id, NOW)
                await soon("the revocation", lambda: directory.records[first.id].revoked_at == NOW)
                await writer.set_override("tenant", "acme", Quotas(tokens_per_day=1))
                await soon("the override", lambda: directory.overrides().tenants == {"acme": Quotas(tokens_per_day=1)})
                await writer.set_override("tenant", "acme", None)
                await soon("the override's end", lambda: directory.overrides().tenants == {})
                await writer.change_rights(msgspec.structs.replace(second, quotas=Quotas(tokens_per_day=2)))
                await soon("the quotas", lambda: directory.records[second.id].quotas.tokens_per_day == 2)

    uvloop.run(main())


def test_a_store_that_is_made_later_is_found(subject: StoreSubject) -> None:
    async def main() -> None:
        async with subject.open() as source, KeyDirectory(source, REFRESH_SECONDS) as directory:
            assert directory.loaded
            assert not directory.has_keys
            async with subject.open() as writer:
                _, record = new_key()
                await writer.add(record)
            await soon("the key", lambda: directory.has_keys)

    uvloop.run(main())


def test_a_store_that_lost_its_data_takes_nothing_away(subject: StoreSubject, log: LogCapture) -> None:
    async def main() -> None:
        _, kept = new_key()
        _, revoked = new_key()
        async with subject.open() as writer, subject.open() as source:
            await writer.add(kept)
            await writer.add(revoked)
            await writer.revoke(revoked.id, NOW)
            await writer.set_override("model", "demo", Quotas(concurrent_requests=1))
            async with KeyDirectory(source, REFRESH_SECONDS) as directory:
                subject.begin_anew()
                await soon("the loss", lambda: any(e["event"] == "key store lost data" for e in log.entries))
                assert directory.find(kept.id) == kept
                async with subject.open() as late:
                    _, fresh = new_key()
                    await late.add(msgspec.structs.replace(revoked, revoked_at=None))  # out of an old copy
                    await late.add(fresh)
                    await late.set_override("model", "other", Quotas(concurrent_requests=2))
                    await soon("the key of the new store", lambda: directory.find(fresh.id) == fresh)
                assert directory.find(kept.id) == kept
                assert directory.records[revoked.id].revoked_at == NOW
                await soon("the new override", lambda: "other" in directory.overrides().models)
                assert directory.overrides().models["demo"] == Quotas(concurrent_requests=1)

    uvloop.run(main())
    assert [entry["event"] for entry in log.entries].count("key store lost data") == 1


def test_a_version_that_went_back_is_a_loss(subject: StoreSubject, log: LogCapture) -> None:
    async def main() -> None:
        _, record = new_key()
        async with subject.open() as writer, subject.open() as source:
            await writer.add(record)
            for _ in range(5):
                await writer.change_rights(record)
            async with KeyDirectory(source, REFRESH_SECONDS) as directory:
                subject.put("number", b"1")
                await soon("the loss", lambda: any(e["event"] == "key store lost data" for e in log.entries))
                assert directory.find(record.id) == record

    uvloop.run(main())
