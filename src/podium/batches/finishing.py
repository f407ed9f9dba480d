"""The end of a batch: its files, in which every line has exactly one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from podium.batches.batch_table import BatchTable, Change
from podium.batches.folder import Folder
from podium.batches.lines import read_lines
from podium.batches.results import not_run
from podium.core.batch import OUTPUT, Ending, Problem, Result, StoredBatch, StoredFile


class Finishing:
    """Writes output file and error file, then ends the batch in one transaction; killed before, it is done again.

    Ids and contents of the files follow from the batch and its results alone, so doing it again writes the same.
    Only who holds the batch's lock may call it. Blocking.
    """

    def __init__(
        self, folder: Folder, batches: BatchTable, keep_seconds: int, wall: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._batches = batches
        self._keep_seconds = keep_seconds
        self._wall = wall

    def finish(self, batch: StoredBatch, ending: Ending) -> StoredBatch | None:
        """``batch`` as it has ended. Lines without a result get an error that says why. Raises ``DamagedInput``."""
        results = self._results(batch, ending) if batch.validated else iter(())
        return self._end(
            batch, results, lambda current: current.at(ending, self._wall(), failed=current.total - current.completed)
        )

    def fail(self, batch: StoredBatch, *problems: Problem) -> StoredBatch | None:
        """``batch`` as it has failed, with the results that it has: its input is not read."""
        results = self._batches.results(batch.id)
        return self._end(batch, results, lambda current: current.at("failed", self._wall(), problems=problems))

    def _end(self, batch: StoredBatch, results: Iterator[Result], end: Change) -> StoredBatch | None:
        written = self._write(batch, results)
        outputs = {name: file.id for name, file in written.items()}
        return self._batches.change(
            batch.id, lambda current: msgspec.structs.replace(end(current), **outputs), *written.values()
        )

    def _results(self, batch: StoredBatch, ending: Ending) -> Iterator[Result]:
        found = self._batches.results(batch.id)
        known = next(found, None)
        for line in read_lines(self._folder.content(batch.order.input_file_id)):
            if known is not None and known.number == line.number:
                yield known
                known = next(found, None)
            else:
                yield not_run(batch.id, line, ending)

    def _write(self, batch: StoredBatch, results: Iterator[Result]) -> dict[str, StoredFile]:
        """Both files by their member of the batch; one that would be empty is not made."""
        with ExitStack() as leftovers:  # what was not kept is deleted at once: least of all may it fill a full disk
            output_path, output = self._folder.arriving()
            leftovers.callback(output_path.unlink, missing_ok=True)
            error_path, errors = self._folder.arriving()
            leftovers.callback(error_path.unlink, missing_ok=True)
            with output, errors:
                for result in results:
                    _append(output if result.ok else errors, result)
            return self._kept(batch, output_path, error_path)

    def _kept(self, batch: StoredBatch, output_path: Path, error_path: Path) -> dict[str, StoredFile]:
        made = {}
        for name, path, word in (("output_file_id", output_path, "output"), ("error_file_id", error_path, "errors")):
            if size := path.stat().st_size:
                made[name] = self._file(batch, word, size)
                self._folder.keep(path, made[name].id)
        return made

    def _file(self, batch: StoredBatch, word: str, size: int) -> StoredFile:
        now = int(self._wall())
        return StoredFile(
            id=f"file-{batch.id.removeprefix('batch_')}-{word}",
            tenant=batch.tenant,
            filename=f"{batch.id}_{word}.jsonl",
            purpose=OUTPUT,
            size_bytes=size,
            created_at=now,
            expires_at=now + (batch.order.output_seconds or self._keep_seconds),
        )


def _append(file: BinaryIO, result: Result) -> None:
    file.write(result.text + b"\n")


def ending_of(batch: StoredBatch, left_seconds: float) -> Ending | None:
    """How a batch ends that gets no more results; None while it goes on. ``left_seconds``: of its window."""
    if batch.status == "cancelling":
        return "cancelled"
    if batch.status == "finalizing":
        return batch.ending or "completed"
    if batch.validated and batch.completed + batch.failed == batch.total:
        return "completed"
    return "expired" if left_seconds <= 0 else None


def finalizing(batch: StoredBatch, ending: Ending, now: float) -> StoredBatch:
    """The batch while its files are written; one that is being cancelled says so until it is."""
    if batch.ended or batch.status == "finalizing":
        return batch
    if batch.status == "cancelling":
        return msgspec.structs.replace(batch, ending="cancelled")
    return batch.at("finalizing", now, ending=ending)
