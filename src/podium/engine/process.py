"""One worker process, as the API process sees it: spawn, frames, stderr, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import psutil
import structlog

import podium
from podium.aio import tasks
from podium.core.errors import ModelLoadError
from podium.engine.framing import FrameDecoder, FrameTooLarge, encode_frame
from podium.engine.messages import FromWorker, ToWorker

log = structlog.get_logger(__name__)

STDERR_LINE_BYTES = 64 * 1024
EXIT_SECONDS = 10.0
NICENESS = 10
"""On a full machine the API process goes first: probes and tokens do not queue behind steps of engines."""
_BEGIN = f"import os, sys; os.setpgid(0, 0); os.nice({NICENESS}); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker: interpreter, environment, and the name it has in the log."""

    name: str
    environment: Mapping[str, str]
    python: str = sys.executable

    def arguments(self) -> list[str]:
        """The command line. A foreign interpreter finds Podium *behind* its own packages."""
        begin = [self.python, "-I", "-S", "-c", _BEGIN, self.python]
        if self.python == sys.executable:
            return [*begin, "-m", "podium.engine.worker"]
        home = str(Path(podium.__file__).parent.parent)
        code = f"import sys; sys.path.append({home!r}); from podium.engine.worker import main; main()"
        return [*begin, "-c", code]


class WorkerProcess(asyncio.Protocol):
    """A running worker. ``on_message`` gets each message, ``on_exit`` the exit status, once.

    The worker leads a process group of its own, so that ``kill`` reaches engine children too. It stays in our session:
    Linux shares processors between sessions first (autogroup), and in one of its own ``NICENESS`` would count for
    nothing. Its standard output and error go to the log, line by line.
    """

    def __init__(
        self, command: WorkerCommand, on_message: Callable[[FromWorker], None], on_exit: Callable[[int], None]
    ) -> None:
        self._command = command
        self._on_message = on_message
        self._on_exit = on_exit
        self._decoder: FrameDecoder[FromWorker] = FrameDecoder(FromWorker)
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._exited = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return None if self._process is None else self._process.pid

    def cpu_seconds(self) -> float:
        """Processor time that the worker has used; 0 when it is gone."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    async def start(self) -> None:
        """Spawn and connect. On cancellation the process is killed.

        Raises ``ModelLoadError`` when the interpreter cannot be run, or this process may open no more files.
        """
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            raise ModelLoadError("No socket for the worker: this process has too many open files.") from error
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command.arguments(),
                "--fd",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                env=dict(self._command.environment),
                limit=STDERR_LINE_BYTES,
            )
        except OSError as error:
            ours.close()
            raise ModelLoadError(
                "The worker's Python interpreter cannot be run; check models[].python and who may execute it."
            ) from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
        self._watch = tasks.start(self._watch_process(), name=f"worker {self._command.name} {self._process.pid}")

    def send(self, message: ToWorker) -> None:
        """Send one message; nothing happens when the worker is gone (``on_exit`` tells)."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(message))

    def kill(self) -> None:
        """SIGKILL the worker and its children; ``on_exit`` follows."""
        if self._process is not None and not self._exited.is_set():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # it does not lead its group from the first moment
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def wait_exit(self, seconds: float = EXIT_SECONDS) -> None:
        """Wait for the end; kill when it takes longer than ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            self.kill()
            await self._exited.wait()
        await self._join()

    async def _join(self) -> None:
        if self._watch is not None:
            await self._watch

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        """Decode and deliver; garbage on the socket means the worker is broken: kill it."""
        try:
            messages = self._decoder.feed(data)
        except (FrameTooLarge, msgspec.DecodeError):
            log.exception("worker sent garbage", worker=self._command.name)
            self.kill()
            return
        for message in messages:
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Without its socket a worker is useless, even if some child keeps it alive."""
        self.kill()

    async def _watch_process(self) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - this is a bug: called after start
        output = tasks.start(self._copy_output(process), name=f"output {self._command.name}")
        status = await process.wait()
        # Children of the engine may have outlived it and hold its output open (vLLM's do).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._transport is not None:
            self._transport.close()
        self._exited.set()
        self._on_exit(status)
        await asyncio.wait({output}, timeout=1.0)
        await tasks.stop(output)

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - this is a bug: started with a pipe
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # longer than the limit: dropped, the next line is read
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            log.info("worker output", worker=self._command.name, pid=process.pid, line=text)
