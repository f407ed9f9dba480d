"""``python -m podium.supervisor.gateway_pod``: an Envoy in a pod, as the rendered pod starts it.

Envoy itself ends its streams at SIGTERM. This starts it, sends its attempts log to the controller, and at SIGTERM lets
clients go first.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import httpx
import structlog

from podium.config.settings import Settings
from podium.config.sources import load
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError
from podium.gateway.admin import EnvoyAdmin
from podium.gateway.attempts_delivery import AttemptsSender
from podium.gateway.binary import envoy_binary
from podium.gateway.pod_bootstrap import pod_bootstrap
from podium.gateway.topology import Endpoint
from podium.supervisor.envoy import drain, envoy_words
from podium.supervisor.process import ChildProcess, Command
from podium.telemetry import logs

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0
_WRONG_USAGE = 2


@dataclass(frozen=True)
class GatewayPod:
    """One Envoy. ``controller``: who feeds it; ``status``: where it says how it is; ``folder``: its files.

    ``written_to`` gets what it writes.
    """

    settings: Settings
    folder: RunFolder
    controller: Endpoint
    status: Endpoint
    written_to: TextIO

    async def run(self, stop: asyncio.Event) -> int:
        """Run until ``stop``, then drain; returns the exit status, which is Envoy's own when it ends by itself."""
        binary = await envoy_binary(None)
        envoy = ChildProcess(self._command(binary), self._say)
        async with EnvoyAdmin(self.folder.admin_socket) as admin:
            await envoy.start()
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._sender(admin).run(), name="attempts sender")
                ended = group.create_task(envoy.wait(), name="envoy")
                stopping = group.create_task(stop.wait(), name="wait for stop")
                await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    await drain(admin, seconds=self.settings.gateway.drain_seconds)
                    await envoy.stop(STOP_SECONDS)
                    await asyncio.sleep(_LAST_LINES_SECONDS)
                    await ended
                    sending.cancel()
                    return 0
                log.error("envoy ended", status=ended.result())
                sending.cancel()
                stopping.cancel()
        return ended.result() or 1

    def _say(self, line: str) -> None:
        self.written_to.write(f"{line}\n")

    def _command(self, binary: Path) -> Command:
        gateway = self.settings.gateway
        text = pod_bootstrap(
            node=socket.gethostname(),
            controller=self.controller,
            status=self.status,
            admin_socket=self.folder.admin_socket,
            max_connections=gateway.max_connections,
        )
        self.folder.bootstrap.write_text(text, encoding="utf-8")
        return Command("gateway", envoy_words(binary, self.folder, gateway))

    def _sender(self, admin: EnvoyAdmin) -> AttemptsSender:
        async def reopen() -> None:
            try:
                await admin.reopen_logs()
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error

        address = f"{self.controller.host}:{self.controller.port}"
        return AttemptsSender(self.folder.attempts_log, address, reopen=reopen)


_LAST_LINES_SECONDS = 0.5
"""Two rounds of the sender: what Envoy wrote at its end is sent too, if the controller is there."""


def main(arguments: Sequence[str]) -> int:
    """Run one gateway until SIGTERM; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        settings = load({}, given.config, {}).settings
        controller, status = _endpoint(given.controller), _endpoint(given.status)
        written_to = logs.configure(style=settings.logs.format, level=settings.logs.level)
        pod = GatewayPod(settings, RunFolder(given.folder), controller, status, written_to)
        return asyncio.run(_until_told(pod))
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return _WRONG_USAGE


async def _until_told(pod: GatewayPod) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await pod.run(stop)


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", type=Path, required=True, help="podium.yaml of the gateway")
    parser.add_argument("--folder", type=Path, required=True, help="Envoy's own files; a short path")
    parser.add_argument("--controller", required=True, help="host:port of the controller")
    parser.add_argument("--status", required=True, help="host:port on which to say how it is")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
