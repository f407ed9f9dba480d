"""Files and batches as their callers see them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
import structlog

from podium.batches.batch_table import BatchTable, add_batch, count_open, is_being_read
from podium.batches.database import Database
from podium.batches.file_table import FileTable, drop_files, put_file
from podium.batches.folder import Folder
from podium.batches.upload import Upload
from podium.batches.windows import Windows, seconds_since_boot
from podium.config.batches import Batches
from podium.core.batch import INPUT, Order, StoredBatch, StoredFile
from podium.core.errors import Conflict, InvalidRequest, NotFound, QuotaExhausted, RateLimited, Unavailable
from podium.core.identity import Principal
from podium.core.ids import new_id

T = TypeVar("T")
log = structlog.get_logger(__name__)
_THREADS = 4
_PIECE_BYTES = 256 * 1024
_FULL_RETRY_SECONDS = 60.0


class BatchKeeper:
    """What is kept in one folder, for callers of any tenant.

    A file or batch of another tenant does not exist for a caller (``NotFound``), except that the role ``admin`` may
    look at, cancel and delete everybody's by id; what is in a file is its tenant's alone. A folder that cannot be used
    is ``Unavailable``. Work on the disk is done in threads of its own. ``on_work`` is called when a batch has
    something to be done.
    """

    def __init__(
        self,
        settings: Batches,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self.settings = settings
        self.folder = Folder(Path(settings.folder))
        self.database = Database(self.folder)
        self.files = FileTable(self.database, wall)
        self.batches = BatchTable(self.database, wall)
        self.windows = Windows(wall, elapsed)
        self.wall = wall
        self.on_work: Callable[[], None] = lambda: None
        self._arriving_bytes: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="batches")

    async def aclose(self) -> None:
        """Let go of the folder; files and batches stay."""
        await self.work(self.database.close)
        self._threads.shutdown()

    async def work(self, call: Callable[..., T], *arguments: object) -> T:
        """``call`` in a thread. Raises ``Unavailable`` when the folder cannot be used.

        Cancelled, it ends when the thread has: nothing is written behind anybody's back.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        try:
            return await _whole(future)
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:  # the last: written by another version
            log.error("folder of batches unusable", error_type=type(error).__name__, reason=str(error))  # noqa: TRY400
            raise Unavailable(
                "The server cannot use its folder of files and batches just now. Its log tells why. Try again later.",
                retry_after_seconds=5.0,
            ) from error

    async def upload(self, caller: Principal) -> Upload:
        """A new file of ``caller``. Raises ``QuotaExhausted`` when its files, and those that arrive, leave no room."""
        used_bytes = await self.work(self.files.used_bytes, caller.tenant)
        self._require_room(used_bytes)
        path, file = await self.work(self._arriving)

        def store(arrived: Path, size_bytes: int, filename: str, keep_seconds: int | None) -> StoredFile:
            now = int(self.wall())
            expires_at = now + (keep_seconds or self.settings.keep_seconds)
            named = StoredFile(new_id("file"), caller.tenant, filename, INPUT, size_bytes, now, expires_at)
            self._keep(arrived, named)
            return named

        def grow(more: int) -> None:
            self._arriving_bytes[caller.tenant] += more
            if more > 0:
                self._require_room(used_bytes + self._arriving_bytes[caller.tenant])
            elif not self._arriving_bytes[caller.tenant]:
                del self._arriving_bytes[caller.tenant]

        return Upload(path, file, most_bytes=self.settings.file_bytes, work=self.work, store=store, grow=grow)

    async def file(self, caller: Principal, file_id: str) -> StoredFile:
        """One file."""
        return _found(await self.work(self.files.find, _sight(caller), file_id), "file")

    async def content(self, caller: Principal, file_id: str) -> tuple[StoredFile, AsyncGenerator[bytes, None]]:
        """A file of the caller's own tenant, and its content in pieces."""
        file = _found(await self.work(self.files.find, caller.tenant, file_id), "file")
        return file, self._pieces(self.folder.content(file.id))

    async def _pieces(self, path: Path) -> AsyncGenerator[bytes, None]:
        with await self.work(lambda: path.open("rb")) as file:
            while piece := await self.work(file.read, _PIECE_BYTES):
                yield piece

    async def list_files(
        self, caller: Principal, *, after: str | None, limit: int, newest_first: bool, purpose: str | None
    ) -> list[StoredFile]:
        """A page of the caller's tenant's files."""
        return await self.work(
            lambda: self.files.page(caller.tenant, after=after, limit=limit, newest_first=newest_first, purpose=purpose)
        )

    async def delete_file(self, caller: Principal, file_id: str) -> None:
        """Delete a file. Raises ``Conflict`` while a batch reads it."""
        file = await self.file(caller, file_id)
        await self.work(self._delete, file)

    async def add_batch(self, caller: Principal, order: Order) -> StoredBatch:
        """Take an order. Raises ``InvalidRequest`` for a file of others, and ``RateLimited`` for too many batches."""
        batch = StoredBatch(
            id=new_id("batch").replace("-", "_"),
            owner=caller,
            servers=self.settings.servers,
            order=order,
            created_at=int(self.wall()),
        )
        await self.work(self._add_batch, batch)
        self.windows.left_seconds(batch)
        self.on_work()
        return batch

    async def batch(self, caller: Principal, batch_id: str) -> StoredBatch:
        """One batch."""
        return _found(await self.work(self.batches.find, _sight(caller), batch_id), "batch")

    async def list_batches(self, caller: Principal, *, after: str | None, limit: int) -> list[StoredBatch]:
        """A page of the caller's tenant's batches, the newest first."""
        return await self.work(lambda: self.batches.page(caller.tenant, after=after, limit=limit))

    async def cancel(self, caller: Principal, batch_id: str) -> StoredBatch:
        """Run no more lines of it. Raises ``Conflict`` when it has ended, or nearly."""
        await self.batch(caller, batch_id)
        cancelled = _found(await self.work(self.batches.change, batch_id, self._cancelled), "batch")
        self.on_work()
        return cancelled

    def _arriving(self) -> tuple[Path, BinaryIO]:
        self.folder.make()
        return self.folder.arriving()

    def _require_room(self, all_bytes: int) -> None:
        if all_bytes > self.settings.tenant_bytes:
            raise QuotaExhausted(
                f"Your files hold all of the {self.settings.tenant_bytes} bytes that they may. Delete some that you do "
                "not need.",
                param="file",
            )

    def _keep(self, arrived: Path, file: StoredFile) -> None:
        self._require_room(self.files.used_bytes(file.tenant) + file.size_bytes)
        self.folder.keep(arrived, file.id)
        try:
            with self.database.transaction() as store:
                put_file(store, file)
        except BaseException:
            self.folder.discard(file.id)  # nobody knows it: on a full disk least of all may it stay
            raise

    def _delete(self, file: StoredFile) -> None:
        with self.database.transaction() as store:
            if is_being_read(store, file.id):
                raise Conflict("A batch that has not ended reads this file. Cancel it, or wait for its end.")
            drop_files(store, [file.id])
        self.folder.discard(file.id)

    def _add_batch(self, batch: StoredBatch) -> None:
        with self.database.transaction() as store:  # so that nobody deletes the file meanwhile
            file = self.files.find(batch.tenant, batch.order.input_file_id)
            if file is None or file.purpose != INPUT:
                raise InvalidRequest(
                    "`input_file_id` must be the id of a file that you uploaded with the purpose batch.",
                    param="input_file_id",
                )
            if count_open(store, batch.tenant) >= self.settings.open_batches:
                raise RateLimited(
                    f"{self.settings.open_batches} of your batches have not ended, and no more may wait. Wait for one, "
                    "or cancel one.",
                    retry_after_seconds=_FULL_RETRY_SECONDS,
                )
            add_batch(store, batch)

    def _cancelled(self, batch: StoredBatch) -> StoredBatch:
        if batch.ended or batch.status == "finalizing":
            raise Conflict(f"The batch cannot be cancelled any more: it is {batch.status}.")
        return batch if batch.status == "cancelling" else batch.at("cancelling", self.wall())


def _sight(caller: Principal) -> str | None:
    """The tenant whose things a caller sees; None is everybody's."""
    return None if caller.may("admin") else caller.tenant


def _found(thing: T | None, word: str) -> T:
    if thing is None:
        raise NotFound(f"You have no {word} of that id. It may have been deleted, or its time is over.", param="id")
    return thing


async def _whole(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((future,))
        if not future.cancelled():
            future.exception()  # has been seen
        raise
