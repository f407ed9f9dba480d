"""Ending with the program that started us, however it ends: its death closes our standard input."""

from __future__ import annotations

import os
import signal
import sys
import threading


def stop_when_stdin_closes() -> None:
    """From now on, the end of standard input is a SIGTERM."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):  # not sys.stdin.read: its lock would be held at exit
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()
