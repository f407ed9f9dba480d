"""Processes that are kept running, with real processes."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from podium.aio.backoff import Backoff
from podium.controller.restarts_file import RestartsFile
from podium.core.errors import ConfigurationError
from podium.supervisor.kept_process import KeptProcess
from podium.supervisor.process import Command
from support.deadline import soon

SLEEPS = "import time; print('here', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
)


class Kept:
    """A kept process of a few lines of Python, and what it said."""

    def __init__(
        self,
        code: str = "",
        *,
        program: tuple[str, ...] = (),
        pauses: Backoff | None = None,
        restarted: Callable[[], None] = lambda: None,
    ) -> None:
        async def probe() -> bool:
            return True

        self.said: list[str] = []
        command = Command("child", program or (sys.executable, "-c", code))
        self.process = KeptProcess(
            command, probe, lambda _, line: self.said.append(line), pauses=pauses, restarted=restarted
        )


def while_kept(kept: Kept, act: Callable[[Kept], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(kept.process.run(), name="keep")
            try:
                await act(kept)
            finally:
                kept.process.kill()

    asyncio.run(run())


def test_what_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    log = tmp_path / "times"
    kept = Kept(f"import time; open({str(log)!r}, 'a').write(f'{{time.time()}}\\n')")

    async def act(_: Kept) -> None:
        await soon("the fourth start", lambda: log.exists() and len(log.read_text().split()) >= 4, seconds=30)

    while_kept(kept, act)
    times = [float(text) for text in log.read_text().split()]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


def test_a_killed_process_comes_back_as_another_one() -> None:
    async def act(kept: Kept) -> None:
        first = await soon("it runs", lambda: kept.process.pid)
        psutil.Process(first).kill()
        await soon("another one runs", lambda: kept.process.pid not in {None, first})

    while_kept(Kept(SLEEPS), act)


def test_each_new_start_is_noted_with_its_environment_and_its_time(tmp_path: Path) -> None:
    file = RestartsFile(tmp_path / "restarts.jsonl")
    assert file.count("green", since=0) == 0
    began = time.time()
    kept = Kept("pass", pauses=Backoff(0.01, 0.01), restarted=lambda: file.note("green", "green-1"))

    async def act(_: Kept) -> None:
        await soon("two restarts", lambda: file.count("green", since=began) >= 2, seconds=30)

    while_kept(kept, act)
    assert file.count("blue", since=0) == 0
    assert file.count("green", since=time.time()) == 0


def test_a_restart_that_cannot_be_noted_is_no_reason_to_end_and_a_torn_line_hides_none(tmp_path: Path) -> None:
    RestartsFile(Path("/dev/full")).note("green", "green-1")
    path = tmp_path / "restarts.jsonl"
    path.write_bytes(b'{"at": 17000')
    RestartsFile(path).note("green", "green-1")
    assert RestartsFile(path).count("green", since=0) == 1


@pytest.mark.parametrize("apart", [False, True])
def test_an_orphan_that_holds_its_output_keeps_nobody_from_being_started_again(*, apart: bool) -> None:
    """In its group it ends with it; in a session of its own it lives on, and is not waited for."""
    orphan = f"subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session={apart})"
    kept = Kept(f"import subprocess, sys; print({orphan}.pid, flush=True)", pauses=Backoff(0.01, 0.01))

    async def act(kept: Kept) -> None:
        await soon("two were started", lambda: len(_numbers(kept.said)) >= 2, seconds=30)
        first = _numbers(kept.said)[0]
        if not apart:
            await soon("the first orphan has ended", lambda: _is_gone(first))

    try:
        while_kept(kept, act)
    finally:
        for pid in _numbers(kept.said):
            if not _is_gone(pid):
                psutil.Process(pid).kill()


def _numbers(said: list[str]) -> list[int]:
    return [int(line) for line in said if line.isdigit()]


def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_cannot_be_started_again_for_a_while_is_started_when_it_can(tmp_path: Path) -> None:
    program, runs = tmp_path / "program", tmp_path / "runs"
    text = f"#!/bin/sh\necho >> {runs}\n"
    program.write_text(text)
    program.chmod(0o700)
    kept = Kept(program=(str(program),), pauses=Backoff(0.01, 0.01))

    async def act(_: Kept) -> None:
        await soon("it has run", lambda: runs.exists() and runs.read_text())
        program.unlink()
        await asyncio.sleep(0.1)  # several vain attempts
        count = len(runs.read_text())
        program.write_text(text)
        program.chmod(0o700)
        await soon("it runs again", lambda: len(runs.read_text()) > count)

    while_kept(kept, act)


def test_what_cannot_be_started_at_all_is_told() -> None:
    with pytest.raises(ConfigurationError, match="child cannot be started: No such file"):
        asyncio.run(Kept(program=("/nowhere/program",)).process.run())


def test_stopped_is_gone_and_stays_gone() -> None:
    async def act(kept: Kept) -> None:
        await soon("it runs", lambda: kept.said)
        pid = kept.process.pid
        assert pid is not None
        await kept.process.stop(10.0)
        assert not psutil.pid_exists(pid)
        assert kept.process.pid is None

    while_kept(Kept(SLEEPS), act)


def test_what_does_not_listen_is_killed_after_its_time_and_not_before() -> None:
    async def act(kept: Kept) -> None:
        await soon("it runs", lambda: kept.said)
        pid, began = kept.process.pid, time.monotonic()
        assert pid is not None
        await kept.process.stop(0.5)
        assert time.monotonic() - began >= 0.5
        assert not psutil.pid_exists(pid)

    while_kept(Kept(STUBBORN), act)


def test_told_to_stop_in_a_pause_it_does_not_wait_for_the_end_of_the_pause() -> None:
    kept = Kept("print('here', flush=True)", pauses=Backoff(60, 60))

    async def act(kept: Kept) -> None:
        await soon("it has ended", lambda: kept.said and kept.process.pid is None)
        await kept.process.stop(1.0)

    began = time.monotonic()
    while_kept(kept, act)
    assert time.monotonic() - began < 30


def test_a_refused_configuration_is_told_once_and_not_tried_again() -> None:
    kept = Kept("print('error: port 1 is taken'); raise SystemExit(2)")
    with pytest.raises(ConfigurationError, match="child did not start: port 1 is taken"):
        asyncio.run(kept.process.run())


def test_a_long_line_comes_in_pieces_and_the_rest_after_it() -> None:
    async def act(kept: Kept) -> None:
        await soon("the end is there", lambda: "end" in kept.said)
        assert "".join(kept.said[:-1]) == "x" * 300_000

    while_kept(Kept("print('x' * 300_000); print('end', flush=True); import time; time.sleep(60)"), act)
