"""Checks a grammar before the engine sees it.

openvino-genai compiles grammars inside a step: one that cannot be compiled would end the step, and one
that takes minutes would stop it, for every request in the batch. So each new grammar is compiled once
in a disposable process first, within ``COMPILE_SECONDS``.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

from podium.core.errors import EngineError, InvalidRequest
from podium.core.generation import Constraint

COMPILE_SECONDS = 1.0
START_SECONDS = 60.0
REMEMBERED = 1024


class GrammarChecker:
    """Verdicts on grammars, remembered. Thread-safe; one grammar is compiled at a time."""

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._process: subprocess.Popen[str] | None = None
        self._verdicts: OrderedDict[Constraint, str | None] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, constraint: Constraint) -> None:
        """Return when the engine can run under ``constraint``; blocks for its compilation.

        Raises ``InvalidRequest`` when it cannot be compiled, or not in time.
        """
        with self._lock:
            if constraint not in self._verdicts:
                self._verdicts[constraint] = self._ask(constraint)
                if len(self._verdicts) > REMEMBERED:
                    self._verdicts.popitem(last=False)
            problem = self._verdicts[constraint]
        if problem is not None:
            raise InvalidRequest(problem, param="response_format")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, constraint: Constraint) -> str | None:
        """None, or what is wrong with the grammar."""
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - this is a bug: opened with pipes
        process.stdin.write(json.dumps({"kind": constraint.kind, "source": constraint.source}) + "\n")
        process.stdin.flush()
        answer = _read_line(process, COMPILE_SECONDS)
        if answer == "ok":
            return None
        self._end()
        if answer is None:
            return f"The grammar takes longer than {COMPILE_SECONDS:g} s to compile; make it smaller."
        return "The grammar cannot be compiled: give a JSON schema, or a regular expression without look-around."

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        command = [sys.executable, "-m", "podium.engine.adapters.openvino_grammar_process", str(self._model_dir)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if _read_line(self._process, START_SECONDS) != "ready":
            self._end()
            raise EngineError("The grammar checker did not start; its last output is in the log.")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _read_line(process: subprocess.Popen[str], seconds: float) -> str | None:
    """The next line without its end, empty at the end of the output, or None after ``seconds``."""
    assert process.stdout is not None  # noqa: S101 - this is a bug: opened with pipes
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline().rstrip("\n") if ready else None
