"""How a command ends when it cannot do what was asked."""

from __future__ import annotations

from podium.cli.exit_codes import ExitCode


class Failure(Exception):
    """Ends the command with a line on standard error: what was given, what is allowed, what to do next."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
