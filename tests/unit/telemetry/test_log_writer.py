"""Log lines on their way out: nobody waits for who reads them, and what is lost is counted."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from podium.telemetry.log_writer import LogWriter, writer_for

LINE = "x" * 999 + "\n"
PIPE_BYTES = 4096
WAITING_BYTES = 10_000


@contextmanager
def pipe() -> Iterator[tuple[int, LogWriter]]:
    """A small pipe: its reading end, and a writer that is drained and closed afterwards."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    writer = LogWriter(writing, WAITING_BYTES)
    try:
        yield reading, writer
        writer.close()
    finally:
        os.close(reading)


def read_all(reading: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += os.read(reading, size - len(found))
    return found


def test_who_writes_does_not_wait_for_a_reader_that_hangs() -> None:
    with pipe() as (reading, writer):
        for _ in range(200):
            assert writer.write(LINE) == len(LINE)
        kept = writer.records - writer.dropped
        assert writer.records == 200
        assert 0 < kept * len(LINE) <= WAITING_BYTES + PIPE_BYTES
        assert not writer.drain(0.05)
        assert read_all(reading, kept * len(LINE)) == LINE.encode() * kept
        assert writer.drain(10.0)
        writer.write("again\n")
        assert read_all(reading, 6) == b"again\n"
        assert (writer.records, writer.records - writer.dropped) == (201, kept + 1)


def test_lines_of_many_threads_are_whole_and_none_is_missing() -> None:
    with pipe() as (reading, writer):
        lines = [[f"{name}{number:04d}\n" for number in range(400)] for name in "abcd"]  # 9,600 bytes: none is dropped
        threads = [threading.Thread(target=lambda mine=mine: [writer.write(line) for line in mine]) for mine in lines]
        for thread in threads:
            thread.start()
        found = read_all(reading, sum(len(line) for mine in lines for line in mine)).decode().splitlines(keepends=True)
        for thread in threads:
            thread.join()
        for mine in lines:
            assert [line for line in found if line[0] == mine[0][0]] == mine


def test_lines_that_nobody_can_read_any_more_are_counted_as_dropped() -> None:
    with pipe() as (reading, writer):
        hole = os.open(os.devnull, os.O_RDONLY)
        os.dup2(hole, reading)  # closes the pipe's end, and leaves a descriptor to close
        os.close(hole)
        writer.write("one\n")
        assert writer.drain(10.0)
        writer.write("two\nof two lines\n")
        assert writer.drain(10.0)
        assert (writer.records, writer.dropped) == (2, 2)


def test_text_that_is_no_utf_8_is_written_escaped() -> None:
    with pipe() as (reading, writer):
        writer.write("\ud800\n")
        assert read_all(reading, 7) == b"\\ud800\n"


def test_a_stream_without_a_file_is_written_to_itself() -> None:
    stream = io.StringIO()
    assert writer_for(stream) is stream
