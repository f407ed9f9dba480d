"""Runs the converter's process and follows its progress.

A process of its own, because torch's memory is then gone afterwards and a crash harms nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from podium.core.errors import ModelLoadError, all_errors
from podium.engine.interface import ProgressReport
from podium.models.checkpoint import Checkpoint

Precision = Literal["f32", "f16", "bf16", "int8"]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of JSON from the converter: progress, or (with ``code``) why it failed."""

    stage: str = ""
    ratio: float = -1.0
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Converter:
    """A program that takes source folder, output folder, precision and task, and prints ``Line`` objects.

    ``environment`` is its whole environment; None inherits ours.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] | None = None

    async def run(
        self,
        checkpoint: Checkpoint,
        precision: Precision,
        output: Path,
        *,
        report: ProgressReport,
        errors: BinaryIO,
    ) -> None:
        """Fill ``output``. Raises the ``ModelLoadError`` that the program told, or one for its bare death.

        ``errors`` receives what it prints on standard error. Cancelling kills it and waits for its end.
        """
        task = () if checkpoint.task == "generate" else ("--task", checkpoint.task)
        trust = ("--trust-remote-code",) if checkpoint.trust_remote_code else ()
        process = await asyncio.create_subprocess_exec(
            *self.command, str(checkpoint.path), str(output), precision, *task, *trust,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )  # fmt: skip
        try:
            failure = await _follow(process, report)
            status = await process.wait()
        finally:
            await _end(process)
        if failure is not None:
            raise _told_error(failure)
        if status != 0:
            raise ModelLoadError(
                f"The converter died (status {status}). Memory is the usual reason: "
                "it needs about three times the weights in f32."
            )


OPTIMUM = Converter((sys.executable, "-m", "podium.models.convert_process"))
"""Podium's converter; needs podium[hf]."""


async def _follow(process: asyncio.subprocess.Process, report: ProgressReport) -> Line | None:
    """Pass progress on until the program closes its output; the failure that it told, if any."""
    assert process.stdout is not None, "the converter was started with a pipe: this is a bug"  # noqa: S101
    failure = None
    async for encoded in process.stdout:
        with contextlib.suppress(msgspec.DecodeError):
            line = msgspec.json.decode(encoded, type=Line)
            if line.code:
                failure = line
            else:
                report(line.stage, line.ratio)
    return failure


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the program if it still runs, with what it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _told_error(failure: Line) -> ModelLoadError:
    kind = all_errors().get(failure.code)
    if kind is None or not issubclass(kind, ModelLoadError):
        kind = ModelLoadError
    return kind(failure.message)
