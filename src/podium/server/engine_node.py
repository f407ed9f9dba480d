"""``python -m podium.server.engine_node``: one more machine of a model that is spread over several.

It has the configuration of the first machine's server, starts vLLM's share here, and ends when the first machine's
engine is gone: then all begin anew together. At SIGTERM it goes on for as long as the first one works, since without
it every running answer would be cut.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

import podium
from podium.config.engine import VLLMEngine
from podium.config.models import Model
from podium.config.settings import Settings
from podium.config.sources import load
from podium.core.errors import ConfigurationError, PodiumError
from podium.engine.adapters.group_reaper import GroupReaper
from podium.engine.adapters.vllm_node import NodeLoad
from podium.engine.messages import Load
from podium.models.runnable import SourcePolicy, make_runnable
from podium.server.server import model_roots
from podium.telemetry import logs

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0
POLL_SECONDS = 1.0
MISSED_POLLS = 3
_CONNECT_SECONDS = 5.0
_WRONG_USAGE = 2


@dataclass
class EngineNode:
    """One machine. ``first_host``: where the server is; ``status``: host and port on which this one says how it is.

    ``/startupz`` and ``/readyz`` answer 200 once the first machine was met, ``/livez`` while the engine runs.
    """

    settings: Settings
    rank: int
    first_host: str
    status: tuple[str, int]
    met: bool = field(default=False, init=False)

    async def run(self, stop: asyncio.Event) -> int:
        """Run until the engine here or the first machine's ends; returns 0 if that was after ``stop``, else 1."""
        model, engine = spread_model(self.settings)
        command = await self._command(model)
        reaper = GroupReaper()  # before the engine, which it ends with this process, however that ends
        child = await asyncio.create_subprocess_exec(*command)
        server = await asyncio.start_server(self._answer, *self.status)
        async with server, asyncio.TaskGroup() as group:
            watching = group.create_task(self._until_first_is_gone(engine.node_port), name="first machine")
            ended = group.create_task(child.wait(), name="engine")
            await asyncio.wait((watching, ended), return_when=asyncio.FIRST_COMPLETED)
            log.info("the engine ended" if ended.done() else "the first machine is gone", asked=stop.is_set())
            watching.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            await asyncio.to_thread(reaper.end_group, grace_seconds=STOP_SECONDS)
        reaper.release()
        return 0 if stop.is_set() else 1

    async def _until_first_is_gone(self, port: int) -> None:
        """Before it was met there is nothing to miss: it may take minutes to get there."""
        missed = 0
        while missed < MISSED_POLLS:
            if await _listens(self.first_host, port):
                self.met, missed = True, 0
            else:
                missed += self.met
            await asyncio.sleep(POLL_SECONDS)

    async def _command(self, model: Model) -> tuple[str, ...]:
        """With the model's own interpreter, which finds Podium behind its own packages, as a worker does."""
        cache_dir = Path(self.settings.server.cache_dir).expanduser()  # noqa: ASYNC240 - reads no disk
        policy = SourcePolicy(model_roots(self.settings), cache_dir)
        runnable = await make_runnable(model, policy, lambda stage, _ratio: log.info(stage))
        told = Load(
            model_dir=str(runnable.folder),
            engine=model.engine.model_dump(),
            max_model_len=model.max_model_len,
            trust_remote_code=model.trust_remote_code,
        )
        words = msgspec.json.encode(NodeLoad(told, self.rank, self.first_host)).decode()
        home = str(Path(podium.__file__).parent.parent)
        code = f"import sys; sys.path.append({home!r}); from podium.engine.adapters.vllm_node import main; main()"
        return (model.python or sys.executable, "-c", code, words)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            known = {b"/livez": True, b"/startupz": self.met, b"/readyz": self.met}
            well = known.get([*head.split(), b"", b""][1])
            status = {True: "200 OK", False: "503 Service Unavailable", None: "404 Not Found"}[well]
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


def spread_model(settings: Settings) -> tuple[Model, VLLMEngine]:
    """The one model that takes several machines. Raises ``ConfigurationError`` when there is none, or more."""
    found = [
        (model, model.engine)
        for model in settings.models
        if isinstance(model.engine, VLLMEngine) and model.engine.nodes > 1
    ]
    if len(found) != 1:
        raise ConfigurationError(
            f"{len(found)} models have an engine vllm with nodes above 1; this machine can be a part of exactly one"
        )
    return found[0]


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def main(arguments: Sequence[str]) -> int:
    """Run one machine; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        settings = load({}, given.config, {}).settings
        logs.configure(style=settings.logs.format, level=settings.logs.level)
        host, _, port = given.status.rpartition(":")
        node = EngineNode(settings, given.rank, given.first, (host.strip("[]"), int(port)))
        return asyncio.run(_until_told(node))
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return _WRONG_USAGE
    except PodiumError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return 1


async def _until_told(node: EngineNode) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await node.run(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="podium.yaml of the first machine's server")
    parser.add_argument("--first", required=True, help="host of the first machine")
    parser.add_argument("--rank", type=int, required=True, help="number of this machine, from 1")
    parser.add_argument("--status", required=True, help="host:port on which to say how it is")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
