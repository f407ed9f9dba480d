"""What the HTTP surface needs of files and batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from podium.config.batches import Batches as BatchSettings
from podium.core.batch import Order, StoredBatch, StoredFile
from podium.core.identity import Principal


class Upload(Protocol):
    """A file while it arrives."""

    async def write(self, data: bytes) -> None:
        """Append. Raises PayloadTooLarge."""

    async def keep(self, filename: str, *, keep_seconds: int | None = None) -> StoredFile:
        """What arrived is the whole file. Raises QuotaExhausted."""

    async def close(self) -> None:
        """Throw away what was not kept."""


class Batches(Protocol):
    """Files and batches. What belongs to another tenant does not exist (NotFound), but by id for the role admin."""

    @property
    def settings(self) -> BatchSettings:
        """Bounds."""

    async def upload(self, caller: Principal) -> Upload:
        """A new file; its owner closes it. Raises QuotaExhausted when there is no room."""

    async def file(self, caller: Principal, file_id: str) -> StoredFile:
        """One file."""

    async def content(self, caller: Principal, file_id: str) -> tuple[StoredFile, AsyncGenerator[bytes, None]]:
        """A file of the caller's own tenant, and its content in pieces."""

    async def list_files(
        self, caller: Principal, *, after: str | None, limit: int, newest_first: bool, purpose: str | None
    ) -> Sequence[StoredFile]:
        """A page of the tenant's files. Raises InvalidRequest for an unknown ``after``."""

    async def delete_file(self, caller: Principal, file_id: str) -> None:
        """Raises Conflict while a batch reads it."""

    async def add_batch(self, caller: Principal, order: Order) -> StoredBatch:
        """Take an order. Raises InvalidRequest and RateLimited."""

    async def batch(self, caller: Principal, batch_id: str) -> StoredBatch:
        """One batch."""

    async def list_batches(self, caller: Principal, *, after: str | None, limit: int) -> Sequence[StoredBatch]:
        """A page of the tenant's batches, the newest first."""

    async def cancel(self, caller: Principal, batch_id: str) -> StoredBatch:
        """Raises Conflict when it has ended."""
