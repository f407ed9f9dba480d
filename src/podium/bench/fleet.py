"""The worker processes of one run: started together, read while they send, and gone at the end whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from podium.bench.arrivals import schedule
from podium.bench.plan import RunPlan
from podium.bench.progress import Progress, Tick
from podium.bench.record import RequestRecord
from podium.bench.worker import Finished
from podium.core.errors import Unavailable

LINE_BYTES = 1 << 20
START_AFTER_SECONDS = 0.3  # all workers have the order long before the moment that it names
READY_SECONDS = 60.0
READING_SECONDS = 600.0  # reading the spool after the run
RATE_SECONDS = 4.0  # over which live rates are taken
RECENT_SAMPLES = 2000


class Sent(msgspec.Struct, kw_only=True):
    """What the workers did. ``lost``: numbers of workers that ended without their records."""

    started_monotonic: float
    started_unix: float
    records: list[RequestRecord]
    finished: list[Finished]
    lost: list[int]
    stopped: bool  # before its time


class Fleet:
    """Runs a plan. ``watch`` gets the progress twice a second; ``stop`` ends it early, with what there is."""

    def __init__(self, plan: RunPlan, watch: Callable[[Progress], None] | None = None) -> None:
        self._plan = plan
        self._watch = watch
        self._processes: list[asyncio.subprocess.Process] = []
        self._finished: dict[int, Finished] = {}
        self._view = _View(plan)
        self.stopped = False

    async def run(self) -> Sent:
        """Send everything and read what came back.

        Cancellation kills the workers, and what they measured is lost; ``stop`` keeps it. Raises ``Unavailable``
        when a worker does not start.
        """
        with tempfile.TemporaryDirectory(prefix="podium-bench-") as name:
            folder = Path(name)
            plan_file = folder / "plan.json"
            plan_file.touch(mode=0o600)  # headers may hold a key
            plan_file.write_bytes(msgspec.json.encode(self._plan))
            try:
                return await self._run(folder)
            finally:
                await self._kill()

    def stop(self) -> None:
        """Tell the workers to send nothing more and to report."""
        self.stopped = True
        self._order(b"stop\n")

    async def _run(self, folder: Path) -> Sent:
        await asyncio.gather(*(self._start_worker(folder, number) for number in range(self._plan.workers)))
        start, unix = time.monotonic() + START_AFTER_SECONDS, time.time() + START_AFTER_SECONDS
        self._view.start = start
        self._order(f"start {start!r} {secrets.token_hex(4)}\n".encode())
        if self.stopped:
            self._order(b"stop\n")
        async with asyncio.TaskGroup() as group:
            for number, process in enumerate(self._processes):
                group.create_task(self._listen(number, process), name=f"bench worker {number}")
        records: list[RequestRecord] = []
        decoder = msgspec.json.Decoder(RequestRecord)
        for number in self._finished:
            with (folder / f"records-{number}.jsonl").open("rb") as lines:
                records.extend(decoder.decode(line) for line in lines)
        records.sort(key=lambda record: record.index)
        lost = [number for number in range(self._plan.workers) if number not in self._finished]
        return Sent(
            started_monotonic=start,
            started_unix=unix,
            records=records,
            finished=list(self._finished.values()),
            lost=lost,
            stopped=self.stopped,
        )

    async def _start_worker(self, folder: Path, number: int) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "podium.bench.worker",
            str(folder),
            str(number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the parent, which then says "stop"
        )
        self._processes.append(process)
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await _stdout(process).readline()
        except TimeoutError:
            line = b""
        if line.strip() != b'"ready"':
            raise Unavailable("a worker of the load test did not start; its own message is above")

    def _order(self, line: bytes) -> None:
        for process in self._processes:
            if process.stdin is not None and process.returncode is None:
                with contextlib.suppress(OSError, RuntimeError):  # gone: `_listen` notices
                    process.stdin.write(line)

    async def _listen(self, number: int, process: asyncio.subprocess.Process) -> None:
        decoder = msgspec.json.Decoder(dict[str, Any])
        while line := await _stdout(process).readline():
            said = decoder.decode(line)
            if said.get("finished"):
                self._finished[number] = msgspec.convert(said, Finished)
                continue
            self._view.add(msgspec.convert(said, Tick))
            if self._watch is not None:
                self._watch(self._view.progress())
        await process.wait()

    async def _kill(self) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
            if process.stdin is not None:
                process.stdin.close()
        await asyncio.gather(*(process.wait() for process in self._processes))


def _stdout(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 - this is a bug: opened with a pipe
    return process.stdout


class _View:
    """Ticks of all workers as one progress."""

    def __init__(self, plan: RunPlan) -> None:
        self.start = 0.0
        self._plan = plan
        self._ticks: dict[int, Tick] = {}
        self._past: list[tuple[float, int, int]] = []
        self._samples: tuple[list[float], list[float], list[float]] = ([], [], [])
        self._schedule = schedule(plan)[0] if plan.load.open_loop else None

    def add(self, tick: Tick) -> None:
        """The newest of one worker."""
        self._ticks[tick.worker] = tick
        for kept, new in zip(self._samples, (tick.first_bytes, tick.e2es, tick.delays), strict=True):
            kept.extend(new)
            del kept[:-RECENT_SAMPLES]

    def progress(self) -> Progress:
        """Now."""
        now = time.monotonic() - self.start
        ticks = self._ticks.values()
        begun, ended = sum(tick.begun for tick in ticks), sum(tick.ended for tick in ticks)
        self._past = [entry for entry in self._past if now - entry[0] <= RATE_SECONDS] + [(now, begun, ended)]
        then, begun_then, ended_then = self._past[0]
        took = max(now - then, 1e-9)
        asked = 0 if self._schedule is None else int(self._schedule.searchsorted(max(0.0, now)))
        first_bytes, e2es, delays = self._samples
        planned = self._plan.warm_up_seconds + self._plan.load.seconds
        if self._schedule is not None and len(self._schedule):
            planned = float(self._schedule[-1])
        return Progress(
            seconds=max(0.0, now),
            of_seconds=planned,
            warming_up=now < self._plan.warm_up_seconds,
            asked=asked,
            begun=begun,
            ended=ended,
            failed=sum(tick.failed for tick in ticks),
            in_flight=sum(tick.in_flight for tick in ticks),
            begun_per_second=(begun - begun_then) / took,
            ended_per_second=(ended - ended_then) / took,
            first_bytes=first_bytes,
            e2es=e2es,
            delays=delays,
        )
