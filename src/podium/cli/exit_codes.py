"""What the exit status of every command means."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses; the same number never means two things. ``MEANINGS`` says what each one means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_READY = 3
    REFUSED = 4
    ROLLBACK = 10
    HOLD = 11
    INVALID_RUN = 20
    WORSE = 21
    UNDECIDED = 22
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "failed; the line on standard error says what, and what to do",
    ExitCode.USAGE: "the command line or the configuration is wrong; nothing was done",
    ExitCode.NOT_READY: "the server is unreachable or not ready; the same command may succeed later",
    ExitCode.REFUSED: "the server refused the request; the same command will be refused again",
    ExitCode.ROLLBACK: "the verdict on a canary is ROLLBACK (0 is ADVANCE), or it was rolled back",
    ExitCode.HOLD: "the verdict on a canary is HOLD: not known yet, or not to be known from this data; or its "
    "rollout is held, or made room for another",
    ExitCode.INVALID_RUN: "the figures of a load test must not be believed; it says why",
    ExitCode.WORSE: "the compared version is worse in at least one figure",
    ExitCode.UNDECIDED: "the measurements do not decide what was asked",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
