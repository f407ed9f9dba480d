"""Children of a worker end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from support.deadline import until

PARENT = """
import subprocess, sys
from podium.engine.adapters.group_reaper import GroupReaper
reaper = GroupReaper()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, reaper._watcher.pid, flush=True)
{then}
"""


@pytest.fixture
def parent(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    code = PARENT.format(then=request.param)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        child, watcher = map(int, it.stdout.readline().split())
        yield it, child, watcher
        it.kill()
        for pid in (child, watcher):
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


WAIT = "sys.stdin.read()"


@pytest.mark.parametrize("parent", [WAIT], indirect=True)
def test_a_killed_parent_takes_its_children_along(parent: tuple[subprocess.Popen[str], int, int]) -> None:
    process, child, watcher = parent
    assert _alive(child)
    process.kill()
    until("the child and the watcher are gone", lambda: not _alive(child) and not _alive(watcher), seconds=5)


@pytest.mark.parametrize("parent", ["import os; os._exit(3)"], indirect=True)
def test_an_exit_without_release_does_so_too(parent: tuple[subprocess.Popen[str], int, int]) -> None:
    process, child, watcher = parent
    assert process.wait(timeout=5) == 3
    until("the child and the watcher are gone", lambda: not _alive(child) and not _alive(watcher), seconds=5)


@pytest.mark.parametrize(
    "parent", [f"reaper.release(); reaper.release(); print('released', flush=True); {WAIT}"], indirect=True
)
def test_after_release_nothing_is_killed(parent: tuple[subprocess.Popen[str], int, int]) -> None:
    process, child, watcher = parent
    assert process.stdout is not None
    assert process.stdout.readline() == "released\n"
    assert not _alive(watcher)
    assert _alive(child)
    assert process.poll() is None


@pytest.mark.parametrize(
    "parent", [f"reaper.end_group(grace_seconds=0.1); print('ended', flush=True); {WAIT}"], indirect=True
)
def test_ending_the_group_spares_the_caller(parent: tuple[subprocess.Popen[str], int, int]) -> None:
    process, child, watcher = parent
    assert process.stdout is not None
    assert process.stdout.readline() == "ended\n"
    assert not _alive(child)
    assert _alive(watcher)
    assert process.poll() is None
