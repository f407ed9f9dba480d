"""Ends a worker's child processes, also when the worker dies without closing its engine.

vLLM's engine processes outlive a parent that was killed, and keep the GPU's memory. A worker that has
such children starts a watcher: a small process outside the worker's process group that holds the read
end of a pipe. The kernel closes the write end when the worker ends, however it ends, and the watcher
then kills what is left of the group.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import psutil

from podium.engine.adapters import group_watcher

WAIT_SECONDS = 5.0


class GroupReaper:
    """Watches the calling process, from construction until ``release``.

    Makes the process the leader of its own process group where it is not yet, so that children which it
    starts from now on belong to that group.
    """

    def __init__(self) -> None:
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", group_watcher.__file__, str(os.getpgrp())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end_group(self, *, grace_seconds: float) -> None:
        """Wait for the group's other processes to end, and kill those that have not after ``grace_seconds``."""
        _, left = psutil.wait_procs(_group_members(), timeout=grace_seconds)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=WAIT_SECONDS)

    def release(self) -> None:
        """End the watcher without killing anything. Idempotent."""
        pipe = self._watcher.stdin
        if pipe is None or pipe.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # the watcher is gone already: nothing to tell it
            pipe.write(group_watcher.RELEASE)
            pipe.close()
        self._watcher.wait(timeout=WAIT_SECONDS)


def _group_members() -> list[psutil.Process]:
    """This group's other processes: also those whose own parent has died, which are nobody's children.

    Python's resource tracker is left out; it ends with this process.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            same = os.getpgid(process.pid) == os.getpgrp() and process.pid != os.getpid()
            if same and not any("resource_tracker" in word for word in process.cmdline()):
                found.append(process)
    return found
