"""``python -m podium.supervisor.tether PARENT PROGRAM …`` becomes PROGRAM, which ends when PARENT does (Linux).

For programs that cannot watch a pipe themselves: without it, a supervisor that is killed would leave them behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: str, *arguments: str) -> None:
    """Never returns: the program takes this process over, or the process ends because the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be watched
        sys.exit(1)
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell: that is what is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
