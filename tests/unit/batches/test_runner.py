"""Batches from their order to their files, with a stand-in for the model."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podium.api.app import create_app
from podium.batches.batch_table import BatchTable
from podium.batches.finishing import Finishing
from podium.batches.folder import Folder
from podium.batches.runner import BatchRunner
from podium.config.server import Server
from podium.core.batch import Result, StoredBatch
from podium.core.errors import Conflict, InvalidRequest, NotFound, QuotaExhausted, RateLimited, Unavailable
from podium.server.batching import batch_runner
from support.batches import (
    ACME,
    ADMIN,
    OTHER,
    Clock,
    Model,
    Told,
    contents,
    ended,
    keeper_of,
    known,
    numbered,
    ordered,
    refusal,
    results,
    running,
    uploaded,
)
from support.deadline import soon
from support.http_doubles import FakeDispatcher, fake_backend
from support.on_loop import on_loop


def counts(batch: StoredBatch) -> tuple[str, int, int, int]:
    return batch.status, batch.total, batch.completed, batch.failed


def codes(errors: bytes) -> Counter[Any]:
    return Counter((one["error"] or {}).get("code") for one in map(json.loads, errors.splitlines()))


@on_loop
async def test_every_line_has_its_one_result(tmp_path: Path) -> None:
    async def odd_ones_fail(body: dict[str, Any]) -> Told:
        number = int(body["prompt"].split()[1])
        await asyncio.sleep(0.005)
        return refusal(400, "invalid_request") if number % 2 else Told(body='{"n":%d,"t":"\u2028"}'.encode() % number)

    model = Model(odd_ones_fail)
    async with running(tmp_path, model, parallel=3) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(21)))
        assert counts(batch) == ("completed", 21, 11, 10)
        output, errors = contents(keeper, batch)
        found = results(output, errors)
        assert sorted(found, key=int) == [str(number) for number in range(21)]
        assert found["4"] == {
            "id": f"batch_req_{batch.id.removeprefix('batch_')}_4",
            "custom_id": "4",
            "response": {"status_code": 200, "request_id": found["4"]["id"], "body": {"n": 4, "t": "\u2028"}},
            "error": None,
        }
        assert found["5"]["response"]["body"]["error"]["code"] == "invalid_request"
        lines = output.decode().splitlines()
        assert [json.loads(text)["custom_id"] for text in lines] == [str(n) for n in range(0, 21, 2)]
        assert (len(model.asked), model.most_running) == (21, 3)
        assert await keeper.work(keeper.batches.done, batch.id) == set(), "what is in the files is kept there alone"


@on_loop
async def test_a_file_with_bad_lines_fails_and_none_of_them_is_asked(tmp_path: Path) -> None:
    model = Model()
    async with running(tmp_path, model) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(2) + b"{\n"))
        assert batch.status == "failed"
        assert [(one.code, one.line) for one in batch.problems] == [("invalid_json_line", 3)]
        assert not model.asked


@on_loop
async def test_cancelling_ends_lines_that_run_and_those_that_wait(tmp_path: Path) -> None:
    async def only_the_first(body: dict[str, Any]) -> Told:
        if body["prompt"] != "line 0":
            await asyncio.Event().wait()
        return Told()

    model = Model(only_the_first)
    async with running(tmp_path, model, parallel=2) as keeper:
        batch = await ordered(keeper, numbered(5))
        await soon("one ended, two run", lambda: known(keeper, batch).completed == 1 and model.running == 2)
        with pytest.raises(Conflict):
            await keeper.delete_file(ACME, batch.order.input_file_id)
        assert (await keeper.cancel(ACME, batch.id)).status == "cancelling"
        batch = await ended(keeper, batch)
        assert counts(batch) == ("cancelled", 5, 1, 4)
        output, errors = contents(keeper, batch)
        assert len(results(output, errors)) == 5
        assert codes(errors) == {"batch_cancelled": 4}
        assert model.running == 0
        with pytest.raises(Conflict):
            await keeper.cancel(ACME, batch.id)
        await keeper.delete_file(ACME, batch.order.input_file_id)


@on_loop
async def test_the_window_ends_what_has_no_result(tmp_path: Path) -> None:
    clock = Clock()

    async def the_window_passes_at_line_3(body: dict[str, Any]) -> Told:
        if body["prompt"] == "line 3":
            clock.now += 3600
            await asyncio.Event().wait()
        return Told()

    async with running(tmp_path, Model(the_window_passes_at_line_3), wall=clock, parallel=1) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(6), seconds=3600))
        assert counts(batch) == ("expired", 6, 3, 3)
        assert codes(contents(keeper, batch)[1]) == {"batch_expired": 3}


@on_loop
@pytest.mark.parametrize("step_seconds", [-7200, 7200])
async def test_a_time_of_day_that_is_set_moves_no_window(step_seconds: int, tmp_path: Path) -> None:
    """One batch runs and one waits meanwhile; an hour is an hour."""
    of_day, passed = Clock(), Clock()

    async def meanwhile(body: dict[str, Any]) -> Told:
        if body["prompt"] == "line 1":
            of_day.now += step_seconds
        if body["prompt"] == "line 4":
            passed.now += 3600
            await asyncio.Event().wait()
        await asyncio.sleep(0.005)
        return Told()

    async with running(tmp_path, Model(meanwhile), wall=of_day, elapsed=passed, parallel=1) as keeper:
        batch = await ordered(keeper, numbered(6), seconds=3600)
        waits = await ordered(keeper, numbered(1), seconds=7200)
        assert counts(await ended(keeper, batch)) == ("expired", 6, 4, 2)
        assert counts(await ended(keeper, waits)) == ("completed", 1, 1, 0)


@on_loop
async def test_an_input_that_is_damaged_while_it_runs_fails_the_batch_and_loses_no_result(tmp_path: Path) -> None:
    async def the_disk_loses_what_follows(body: dict[str, Any]) -> Told:
        if body["prompt"] == "line 1000":
            path = keeper.folder.content(batch.order.input_file_id)
            lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join(lines[:1500]) + b"\0" * sum(map(len, lines[1500:])))
        return Told()

    model = Model(the_disk_loses_what_follows)
    async with running(tmp_path, model, parallel=8) as keeper:
        batch = await ordered(keeper, numbered(3000, filling="x" * 100))
        batch = await ended(keeper, batch)
        assert (batch.status, batch.total, batch.completed) == ("failed", 3000, len(model.asked))
        assert [one.code for one in batch.problems] == ["input_file_damaged"]
        assert len(results(*contents(keeper, batch))) == batch.completed
        assert len({body["prompt"] for _, body in model.asked}) == batch.completed


@on_loop
async def test_a_damaged_input_ends_a_batch_whose_window_is_over_too(tmp_path: Path) -> None:
    clock = Clock()

    async def the_disk_loses_all(body: dict[str, Any]) -> Told:
        if body["prompt"] == "line 2":
            keeper.folder.content(batch.order.input_file_id).write_bytes(b"\0" * 100)
            clock.now += 3600
            await asyncio.Event().wait()
        return Told()

    async with running(tmp_path, Model(the_disk_loses_all), wall=clock, parallel=1) as keeper:
        batch = await ordered(keeper, numbered(5), seconds=3600)
        batch = await ended(keeper, batch)
        assert (batch.status, [(one.code, one.line) for one in batch.problems]) == (
            "failed",
            [("input_file_damaged", 1)],
        )
        assert len(results(*contents(keeper, batch))) == batch.completed == 2


@on_loop
async def test_a_full_queue_and_a_used_up_quota_are_waited_for(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    async def twice_no(body: dict[str, Any]) -> Told:
        seen[body["prompt"]] += 1
        waits = (refusal(429, "rate_limit_exceeded", retry_after="0"), refusal(503, "overloaded", retry_after="0"))
        return waits[seen[body["prompt"]] - 1] if seen[body["prompt"]] < 3 else Told()

    async with running(tmp_path, Model(twice_no), attempts=1) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(10)))
        assert counts(batch) == ("completed", 10, 10, 0)
        assert set(seen.values()) == {3}


@on_loop
async def test_a_line_on_which_the_model_fails_again_and_again_fails_alone(tmp_path: Path) -> None:
    async def poison(body: dict[str, Any]) -> Told:
        return refusal(503, "engine_crashed") if body["prompt"] == "line 1" else Told()

    model = Model(poison)
    async with running(tmp_path, model, attempts=2) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(3)))
        assert counts(batch) == ("completed", 3, 2, 1)
        assert len(model.asked) == 4


@on_loop
async def test_a_stop_lets_running_lines_end_and_the_next_server_goes_on(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def wait(_: dict[str, Any]) -> Told:
        await go.wait()
        return Told()

    first, second = Model(wait), Model()
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()

        async def serve() -> str:
            keeper = keeper_of(tmp_path, parallel=2)
            async with BatchRunner(keeper, first, body_bytes=4096) as runner:
                batch = await ordered(keeper, numbered(5))
                await soon("two lines run", lambda: first.running == 2)
                stop.set()
                await runner.drain(10)
                assert (await keeper.batch(ACME, batch.id)).completed == 2
                return batch.id

        served = group.create_task(serve(), name="first server")
        await stop.wait()
        go.set()
    async with running(tmp_path, second) as keeper:
        batch = await ended(keeper, await keeper.batch(ACME, served.result()))
        assert counts(batch) == ("completed", 5, 5, 0)
        assert len(results(*contents(keeper, batch))) == 5
    assert [body["prompt"] for _, body in first.asked] == ["line 0", "line 1"]
    assert sorted(body["prompt"] for _, body in second.asked) == ["line 2", "line 3", "line 4"]


@on_loop
async def test_two_servers_share_batches_and_never_a_line(tmp_path: Path) -> None:
    async def slowly(_: dict[str, Any]) -> Told:
        await asyncio.sleep(0.002)
        return Told()

    one, two = Model(slowly), Model(slowly)
    async with running(tmp_path, one, parallel=2) as here, running(tmp_path, two, parallel=2) as there:
        batches = [await ordered(here if number % 2 else there, numbered(15)) for number in range(8)]
        for batch in batches:
            last = await ended(here, batch)
            assert counts(last) == ("completed", 15, 15, 0)
            assert len(results(*contents(there, last))) == 15
    assert len(one.asked) + len(two.asked) == 8 * 15


@on_loop
async def test_a_server_runs_only_batches_of_its_own_name_but_ends_those_of_any(tmp_path: Path) -> None:
    clock, model = Clock(), Model()
    blue = keeper_of(tmp_path, wall=clock, servers="blue")
    batch = await ordered(blue, numbered(2), seconds=60)
    async with running(tmp_path, model, wall=clock, servers="green") as green:
        own = await ended(green, await ordered(green, numbered(1)))
        assert own.status == "completed"
        assert (await blue.batch(ACME, batch.id)).status == "validating"
        clock.now += 60
        assert counts(await ended(blue, batch))[0] == "expired"
    await blue.aclose()
    assert len(model.asked) == 1


@on_loop
async def test_a_tenant_with_many_batches_does_not_shut_out_another(tmp_path: Path) -> None:
    model = Model()
    keeper = keeper_of(tmp_path)
    flood = [await ordered(keeper, numbered(1)) for _ in range(6)]
    late = await ordered(keeper, numbered(1), OTHER)
    await keeper.aclose()
    async with running(tmp_path, model, parallel=2) as keeper:
        for batch in (*flood, late):
            await ended(keeper, batch)
    assert "other" in [tenant for tenant, _ in model.asked[:3]]


@on_loop
async def test_what_another_tenant_has_does_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path, Model()) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(1)))
        file_id = batch.output_file_id or ""
        for call in (
            keeper.file(OTHER, file_id),
            keeper.content(OTHER, file_id),
            keeper.delete_file(OTHER, file_id),
            keeper.batch(OTHER, batch.id),
            keeper.cancel(OTHER, batch.id),
            keeper.content(ADMIN, file_id),
        ):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(InvalidRequest):
            await keeper.list_batches(OTHER, after=batch.id, limit=5)
        with pytest.raises(InvalidRequest):
            await keeper.add_batch(OTHER, batch.order)
        assert await keeper.list_batches(OTHER, after=None, limit=5) == []
        assert (await keeper.batch(ADMIN, batch.id)).id == batch.id
        await keeper.delete_file(ADMIN, file_id)
        with pytest.raises(NotFound):
            await keeper.file(ACME, file_id)


@on_loop
async def test_open_batches_and_the_bytes_of_a_tenant_are_bounded(tmp_path: Path) -> None:
    keeper = keeper_of(tmp_path, open_batches=1, tenant_bytes=1100)
    batch = await ordered(keeper, b"x" * 1000)
    with pytest.raises(RateLimited):
        await keeper.add_batch(ACME, batch.order)
    with pytest.raises(RateLimited):
        await uploaded(keeper, b"x" * 1000)
    await uploaded(keeper, b"x" * 1000, OTHER)
    await keeper.aclose()


@on_loop
async def test_uploads_at_the_same_time_have_no_more_room_than_one_after_the_other(tmp_path: Path) -> None:
    keeper = keeper_of(tmp_path, tenant_bytes=1100)
    first, second = await keeper.upload(ACME), await keeper.upload(ACME)
    await first.write(b"x" * 1000)
    with pytest.raises(QuotaExhausted):
        await second.write(b"x" * 1000)
    await second.close()
    await first.close()
    await uploaded(keeper, b"x" * 1000)
    await keeper.aclose()


@on_loop
async def test_what_is_old_is_deleted(tmp_path: Path) -> None:
    clock = Clock()
    async with running(tmp_path, Model(), wall=clock, keep_seconds=100) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(1)))
        waiting = await uploaded(keeper, numbered(1))
        clock.now += 101
        with pytest.raises(NotFound):
            await keeper.file(ACME, waiting)
    async with running(tmp_path, Model(), wall=clock, keep_seconds=100) as keeper:
        await soon("all is gone", lambda: not keeper.files.ids() and not keeper.batches.ids())
        assert not list((tmp_path / "files").iterdir())
        with pytest.raises(NotFound):
            await keeper.batch(ACME, batch.id)


@on_loop
async def test_a_result_that_is_there_stays(tmp_path: Path) -> None:
    keeper = keeper_of(tmp_path)
    batch = await ordered(keeper, numbered(2))
    table: BatchTable = keeper.batches
    table.record(batch.id, Result(0, ok=True, text=b"first"))
    table.record(batch.id, Result(0, ok=False, text=b"second"))
    assert [one.text for one in table.results(batch.id)] == [b"first"]
    again = await keeper.batch(ACME, batch.id)
    assert (again.completed, again.failed) == (1, 0)
    await keeper.aclose()


@pytest.mark.parametrize("steps", range(5))
def test_leaving_in_the_moment_of_new_work_ends_it(steps: int, tmp_path: Path) -> None:
    @on_loop
    async def scenario() -> None:
        async with asyncio.timeout(5), running(tmp_path, Model()) as keeper:
            await asyncio.sleep(0.05)  # now it waits for work
            keeper.on_work()
            for _ in range(steps):
                await asyncio.sleep(0)

    scenario()


@on_loop
async def test_a_line_may_wait_as_long_as_its_batch_whatever_the_deadline_of_callers_is(tmp_path: Path) -> None:
    dispatcher, server = FakeDispatcher(), Server(default_timeout_seconds=0.1)
    keeper = keeper_of(tmp_path)
    runner = batch_runner(create_app(fake_backend(dispatcher=dispatcher, server=server)), keeper, server)
    assert runner is not None
    async with runner:
        batch = await ended(keeper, await ordered(keeper, numbered(1, model="demo")))
    assert counts(batch) == ("completed", 1, 1, 0)
    assert [asked.timeout_seconds for asked in dispatcher.requests] == [86_400.0]


@on_loop
async def test_a_folder_that_is_full_for_a_while_costs_no_line_a_second_computation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, refused = BatchTable.record, set[int]()

    def full_once(self: BatchTable, batch_id: str, result: Result) -> None:
        if result.number not in refused:
            refused.add(result.number)
            raise sqlite3.OperationalError("database or disk is full")
        record(self, batch_id, result)

    monkeypatch.setattr(BatchTable, "record", full_once)
    model = Model()
    async with running(tmp_path, model, parallel=4) as keeper:
        batch = await ended(keeper, await ordered(keeper, numbered(4)))
        assert counts(batch) == ("completed", 4, 4, 0)
        assert len(results(*contents(keeper, batch))) == 4
    assert len(model.asked) == 4


@on_loop
async def test_of_what_a_full_disk_refuses_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    keeper = keeper_of(tmp_path)
    batch = msgspec.structs.replace(await ordered(keeper, numbered(3)), validated=True, total=3)
    monkeypatch.setattr("podium.batches.keeper.put_file", full)
    with pytest.raises(Unavailable):
        await uploaded(keeper, numbered(1))
    assert [path.name for path in (tmp_path / "files").iterdir()] == [batch.order.input_file_id]
    monkeypatch.setattr(Folder, "keep", full)
    with pytest.raises(OSError, match="No space left"):
        Finishing(keeper.folder, keeper.batches, keep_seconds=100).finish(batch, "cancelled")
    assert not list((tmp_path / "arriving").iterdir())
    await keeper.aclose()
