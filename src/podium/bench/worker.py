"""One process that sends a share of a run's requests: ``python -m podium.bench.worker FOLDER NUMBER``.

It reads ``plan.json`` in the folder and says ``ready`` on standard output; a line ``start T ID`` on standard input
starts it at T of ``time.monotonic``, a line ``stop`` (or the end of the input) ends it early. While it runs it writes
raw exchanges into a spool, so that memory does not grow with the run, and a ``Tick`` a line. Afterwards it reads the
spool, writes ``records-NUMBER.jsonl`` and says ``Finished``. Ctrl-C is for its parent: it is ignored here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop

from podium.bench.dialects import dialect_of
from podium.bench.exchange import Exchange
from podium.bench.generator import Generator
from podium.bench.lateness import Lateness
from podium.bench.plan import RunPlan
from podium.bench.progress import Meter
from podium.bench.reading import record_of
from podium.bench.source import Users, open_loop

TICK_SECONDS = 0.5


class Finished(msgspec.Struct, kw_only=True):
    """The last line of a worker: how hard it worked. ``cpu_ratio`` is of one core, over the time that it sent."""

    finished: bool = True
    cpu_ratio: float
    loop_lag_most: float  # seconds that its loop was late, at most
    loop_lag_p99: float = 0.0  # seconds


class Spool:
    """Exchanges in a file: a length of four bytes, then the exchange."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encoder = msgspec.msgpack.Encoder()

    def add(self, exchange: Exchange) -> None:
        """Append one."""
        data = self._encoder.encode(exchange)
        self._file.write(len(data).to_bytes(4, "little") + data)

    @staticmethod
    def read(file: BinaryIO) -> Iterator[Exchange]:
        """All of them, in the order in which they ended."""
        decoder = msgspec.msgpack.Decoder(Exchange)
        while head := file.read(4):
            yield decoder.decode(file.read(int.from_bytes(head, "little")))


class Orders:
    """What the parent says, read by a thread of its own. ``start`` is None when it left before the start."""

    def __init__(self) -> None:
        self.start: float | None = None
        self.run_id = ""
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait_for_start(self) -> bool:
        """Block until the parent says so; False when it is gone."""
        word, *rest = sys.stdin.readline().split() or [""]
        if word != "start":
            return False
        self.start, self.run_id = float(rest[0]), rest[1]
        return True

    def listen(self, stop: asyncio.Event) -> None:
        """From now on the next line, or the end of the input, sets ``stop``."""
        self._stop, self._loop = stop, asyncio.get_running_loop()
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        sys.stdin.readline()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is over already
                self._loop.call_soon_threadsafe(self._stop.set)


def main(folder: Path, number: int) -> int:
    """Run the share of worker ``number``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=RunPlan)
    _say(b'"ready"')
    orders = Orders()
    if not orders.wait_for_start():
        return 0
    spool_path = folder / f"spool-{number}"
    gc.freeze()
    gc.disable()  # a collection in the middle of the run would be measured as latency
    with spool_path.open("wb", buffering=1 << 20) as file:
        finished = uvloop.run(_send(plan, number, orders, Spool(file)))
    gc.enable()
    _read_spool(folder, number, plan, orders.start or 0.0)
    spool_path.unlink()
    _say(msgspec.json.encode(finished))
    return 0


async def _send(plan: RunPlan, number: int, orders: Orders, spool: Spool) -> Finished:
    start = orders.start or 0.0
    meter, stop = Meter(number), asyncio.Event()
    lateness = Lateness()

    def ended(exchange: Exchange) -> None:
        meter.add(exchange, start)
        spool.add(exchange)

    async def report(generator: Generator) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            _say(msgspec.json.encode(meter.take(generator.begun, generator.in_flight)))

    async def stop_when_told(generator: Generator) -> None:
        await stop.wait()
        generator.stop()

    orders.listen(stop)
    async with Generator(plan, orders.run_id, start, ended) as generator, asyncio.TaskGroup() as group:
        beside = [
            group.create_task(report(generator), name="ticks"),
            group.create_task(stop_when_told(generator), name="stop"),
            group.create_task(lateness.watch(), name="lateness"),
        ]
        await asyncio.sleep(max(0.0, start - time.monotonic()) * 0.9)
        before, began = _cpu_seconds(), time.monotonic()
        if plan.load.open_loop:
            await generator.run_open(open_loop(plan, number))
        else:
            await generator.run_closed(Users(plan, number))
        used, took = _cpu_seconds() - before, time.monotonic() - began
        _say(msgspec.json.encode(meter.take(generator.begun, generator.in_flight)))
        for task in beside:
            task.cancel()
    return Finished(
        cpu_ratio=used / max(took, 1e-9),
        loop_lag_most=lateness.most,
        loop_lag_p99=lateness.at(99),
    )


def _read_spool(folder: Path, number: int, plan: RunPlan, start: float) -> None:
    dialect = dialect_of(plan.target)
    encoder = msgspec.json.Encoder()
    with (folder / f"spool-{number}").open("rb") as spool, (folder / f"records-{number}.jsonl").open("wb") as out:
        for exchange in Spool.read(spool):
            out.write(encoder.encode(record_of(exchange, dialect, start, number)) + b"\n")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
