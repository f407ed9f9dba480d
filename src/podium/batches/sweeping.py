"""Deleting what is over."""

from __future__ import annotations

from podium.batches.batch_table import drop_batches, is_being_read
from podium.batches.file_table import drop_files
from podium.batches.keeper import BatchKeeper


def sweep(keeper: BatchKeeper) -> None:
    """Delete expired files, batches that ended long ago, and what killed processes left. Blocking.

    Nothing is deleted that a batch still reads. Any number of servers may do this at the same time.
    """
    folder = keeper.folder
    if not folder.is_made:
        return
    expired, old = keeper.files.expired(), keeper.batches.ended_before(keeper.wall() - keeper.settings.keep_seconds)
    if expired or old:
        with keeper.database.transaction() as store:
            gone = [file_id for file_id in expired if not is_being_read(store, file_id)]
            drop_files(store, gone)
            drop_batches(store, old)
        for file_id in gone:
            folder.discard(file_id)
    folder.clear(keeper.files.ids(), keeper.batches.ids())
