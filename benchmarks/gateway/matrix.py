"""Row ``matrix``: an environment that fails in every way, at a fifth of the traffic, and what clients notice."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.gateway.stack import Gateway, behave, gateway, server
from benchmarks.gateway.tally import Tally, whole_body
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import ServerProcess, free_port

ROW = "matrix"
RUNS = 100
REQUESTS, RUN_SECONDS = 60, 1.0
MOMENT_SECONDS = 0.2  # of a run, until something happens
WEIGHTS = {"blue": 80.0, "green": 20.0}
FIRST_BYTE_SECONDS = 0.3
ANSWER_SECONDS = 0.005
SLOW_START_SECONDS = 0.6
LOG_SECONDS = 1.0  # until the last attempt is in the log and counted


@dataclass
class Canary:
    """The failing server; it keeps its port when it is started again."""

    label: str
    around: Surroundings
    port: int = field(default_factory=free_port)
    _process: ServerProcess | None = None

    def start(self, *words: str) -> None:
        """Return when it listens."""
        process = server(self.label, self.port, self.around, "--delay", str(ANSWER_SECONDS), *words)
        self._process = process.__enter__()

    def kill(self) -> None:
        """By SIGKILL, if it still runs."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()


Happens = Callable[[Canary], None]
"""What is done to the canary in the middle of a run, in a thread of its own."""


def _always(behaviour: str) -> Happens:
    return lambda canary: behave(canary.port, behaviour)


def _killed(canary: Canary) -> None:
    canary.kill()
    canary.start()


def _starved(canary: Canary) -> None:
    behave(canary.port, "oom")
    time.sleep(RUN_SECONDS - MOMENT_SECONDS)
    canary.kill()  # gone by then, unless no request has reached it
    canary.start()


def _ill(canary: Canary) -> None:
    behave(canary.port, "unhealthy")
    time.sleep(RUN_SECONDS - MOMENT_SECONDS)
    behave(canary.port, "ok")


def _slow(canary: Canary) -> None:
    canary.kill()
    canary.start("--healthy-after", str(SLOW_START_SECONDS))


FAULTS: dict[str, Happens] = {
    "500": _always("500"),
    "reset": _always("reset"),
    "hang": _always("hang"),
    "kill -9": _killed,
    "out of memory": _starved,
    "bad health": _ill,
    "slow start": _slow,
    "cut": _always("cut"),
}


def measure(around: Surroundings) -> None:
    """All faults at the same time, each with a gateway, a good server and a bad one of its own."""
    runs = 3 if around.quick else RUNS
    before = around.quiet()
    with ThreadPoolExecutor(len(FAULTS), thread_name_prefix="fault") as threads:
        found = list(threads.map(lambda fault: _fault(fault, runs, around), FAULTS))
    for record in found:
        around.record(ROW, **record, before=before)


def _fault(fault: str, runs: int, around: Surroundings) -> dict[str, Any]:
    label = f"{ROW}-{fault.replace(' ', '-')}"
    more = {"stream": True} if fault == "cut" else {}
    with _places(label, around) as (blue, canary, ours):
        tally = Tally(whole_body(blue, **more), more)
        for _ in range(runs):
            ours.wait_until("green", healthy=True)
            _run(ours, canary, tally, FAULTS[fault])
        time.sleep(LOG_SECONDS)
        counted = ours.traffic()["environments"]
    ends = {name: tally.ends[name] for name in ("whole", "failed", "cut", "silent")}
    green = {f"green_{name}": counted["green"][name] for name in ("attempts", "first_attempts", "failed_attempts")}
    return {
        "setting": fault,
        "values": {
            "runs": runs,
            "requests": tally.ends.total(),
            **ends,
            **green,
        },
        "examples": tally.examples,
        "parameters": {"weights": WEIGHTS, "requests_a_run": REQUESTS, "run_seconds": RUN_SECONDS},
    }


@contextlib.contextmanager
def _places(label: str, around: Surroundings) -> Iterator[tuple[int, Canary, Gateway]]:
    blue, canary = free_port(), Canary(f"{label}-green", around)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server(f"{label}-blue", blue, around, "--delay", str(ANSWER_SECONDS)))
        stack.callback(canary.stop)
        canary.start()
        ports = {"blue": blue, "green": canary.port}
        wish = {"weights": WEIGHTS, "first_byte_seconds": FIRST_BYTE_SECONDS}
        yield blue, canary, stack.enter_context(gateway(label, ports, around, **wish))


def _run(ours: Gateway, canary: Canary, tally: Tally, happens: Happens) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="canary") as threads:
        happening = threads.submit(_after_a_moment, happens, canary)
        uvloop.run(tally.paced(ours.port, REQUESTS, RUN_SECONDS))
        happening.result()


def _after_a_moment(happens: Happens, canary: Canary) -> None:
    time.sleep(MOMENT_SECONDS)
    happens(canary)
