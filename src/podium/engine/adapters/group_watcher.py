"""Program: wait for the end of standard input, then kill a process group. Started by ``GroupReaper``.

It imports only what Python itself needs, so it runs within milliseconds and holds little memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

RELEASE = b"."


def watch(group: int) -> None:
    """Kill ``group`` when standard input ends, unless the release byte came before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it must outlive the worker, and ends right after it
    if sys.stdin.buffer.read() == RELEASE:
        return
    with contextlib.suppress(ProcessLookupError):  # the worker left nothing behind
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
