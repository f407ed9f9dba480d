"""Everything of one ``podium up``: which processes, in which order they begin and end."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import httpx
import structlog

from podium.aio import tasks
from podium.config.gateway import split_address
from podium.config.settings import Settings
from podium.controller.restarts_file import RestartsFile
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError, PodiumError
from podium.gateway.access_log import require_writable
from podium.gateway.admin import EnvoyAdmin
from podium.gateway.binary import ENVOY_PATH, envoy_binary
from podium.gateway.certificate import read_certificate
from podium.gateway.own_ports import own_ports_client
from podium.supervisor.envoy import drain, envoy_command
from podium.supervisor.kept_process import KeptProcess, Probe
from podium.supervisor.logs import MergedLog
from podium.supervisor.ports import require_free
from podium.supervisor.process import Command
from podium.supervisor.replicas import (
    Replica,
    controller_command,
    for_environment,
    plan_replicas,
    with_endpoints,
    with_run_keys,
)

log = structlog.get_logger(__name__)

ENVOY_STOP_SECONDS = 5.0
CONTROLLER_STOP_SECONDS = 5.0
REPLICA_GRACE_SECONDS = 15.0
"""What a replica gets beyond its own drain deadline, to unload its models, before it is killed."""
_PROBE_TIMEOUT_SECONDS = 2.0
_MOST_SOCKET_BYTES = 103  # of a Unix socket's path, where least fit


@dataclass(frozen=True)
class Addresses:
    """Where the gateway and the control routes answer, as URLs; ports resolved."""

    gateway: str
    control: str


class Stack:
    """Gateway, environments and controller of one configuration, as processes of this one.

    ``environ`` is the environment of this process. ``written_to`` gets what the processes write. ``fronts``: URLs of
    what stands between the gateway and an environment's only replica, by environment. ``run`` does everything.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        written_to: TextIO | None = None,
        fronts: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = environ
        self._settings = _with_ports(settings)
        self._fronts = fronts or {}
        self._replicas = plan_replicas(settings.gateway.environments)
        names = ("gateway", "controller", *(replica.name for replica in self._replicas))
        self._merged = MergedLog(written_to or sys.stderr, names, as_json=settings.logs.format == "json")

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The local servers, with their ports."""
        return tuple(self._replicas)

    @property
    def addresses(self) -> Addresses:
        """Where it answers once it is started."""
        gateway = self._settings.gateway
        return Addresses(gateway=gateway.url, control=f"http://{gateway.control}")

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Start everything, call ``started`` when all of it is ready, and end it in order after ``stop``.

        What ends by itself is started again. Raises ``ConfigurationError`` when something cannot run at all;
        nothing is left behind in any case. Cancelled, everything is killed at once.
        """
        if self._settings.gateway.tls is not None:
            read_certificate(self._settings.gateway.tls)
        require_writable(self._settings.gateway.access_log)
        binary = await envoy_binary(self._environ.get(ENVOY_PATH))
        async with AsyncExitStack() as stack:
            folder = RunFolder(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podium-"))))
            _check_length(folder.admin_socket)
            settings = with_run_keys(self._settings, folder)
            for environment in settings.gateway.environments:
                _write(folder.settings_of(environment), for_environment(settings, environment))
            _write(folder.controller_settings, with_endpoints(settings, self._replicas, self._fronts))
            admin = await stack.enter_async_context(EnvoyAdmin(folder.admin_socket))
            probes = await stack.enter_async_context(own_ports_client(_PROBE_TIMEOUT_SECONDS))
            processes = self._processes(binary, folder, admin, probes)
            async with _kept(processes):
                await _until_ready_or(stop, processes, started)
                await stop.wait()
                await self._end(processes, admin)

    def _processes(
        self, binary: Path, folder: RunFolder, admin: EnvoyAdmin, probes: httpx.AsyncClient
    ) -> dict[str, KeptProcess]:
        """All processes by name, the gateway first."""

        def kept(command: Command, probe: Probe) -> KeptProcess:
            return KeptProcess(command, probe, self._merged.write)

        gateway, controller = envoy_command(binary, folder, self._settings.gateway), controller_command(folder)
        found = {
            gateway.name: kept(gateway, admin.is_live),
            controller.name: kept(controller, answers(probes, f"{self.addresses.control}/readyz")),
        }
        restarts = RestartsFile(folder.restarts)
        for replica in self._replicas:
            found[replica.name] = KeptProcess(
                replica.command(folder),
                self._reached(probes, admin, replica),
                self._merged.write,
                restarted=partial(restarts.note, replica.environment, replica.name),
            )
        return found

    def _reached(self, probes: httpx.AsyncClient, admin: EnvoyAdmin, replica: Replica) -> Probe:
        """A replica is ready when it says so, and when the gateway has found out and reaches its environment."""
        itself = answers(probes, f"{replica.admin_url}/readyz")
        path = self._settings.gateway.environments[replica.environment].health_path
        through = answers(probes, _reachable(self.addresses.gateway) + path, environment=replica.environment)
        address = urlsplit(self._fronts.get(replica.environment, replica.url)).netloc

        async def probe() -> bool:
            found = await itself() and await admin.is_healthy(replica.environment, address)
            return found and await through()

        return probe

    async def _end(self, processes: Mapping[str, KeptProcess], admin: EnvoyAdmin) -> None:
        """Gateway first: it lets its clients go. Then the servers, then what has nothing to do any more."""
        log.info("stopping")
        await drain(admin, seconds=self._settings.gateway.drain_seconds)
        await processes["gateway"].stop(ENVOY_STOP_SECONDS)
        patience = self._settings.server.drain_seconds + REPLICA_GRACE_SECONDS
        async with asyncio.TaskGroup() as group:
            for replica in self._replicas:
                group.create_task(processes[replica.name].stop(patience), name=f"stop {replica.name}")
        await processes["controller"].stop(CONTROLLER_STOP_SECONDS)
        log.info("stopped")


@asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[None]:
    """``stack`` is ready inside, and has ended in order afterwards; left by an error, it is killed at once.

    Raises:
        ConfigurationError: something cannot run at all.
    """
    stop, ready = asyncio.Event(), asyncio.Event()
    task = tasks.start(stack.run(stop, ready.set), name="stack")
    task.add_done_callback(lambda _: ready.set())
    try:
        await ready.wait()
        if task.done():
            task.result()  # raises what it ended with
        yield
        stop.set()
        await task
    finally:
        await tasks.stop(task)


@asynccontextmanager
async def _kept(processes: Mapping[str, KeptProcess]) -> AsyncIterator[None]:
    """Keep ``processes`` running inside; whatever happens there, none of them runs afterwards."""
    try:
        async with asyncio.TaskGroup() as group:
            for process in processes.values():
                group.create_task(process.run(), name=f"keep {process.name}")
            try:
                yield
            finally:
                for process in processes.values():
                    process.kill()  # of those that were stopped, nothing is left to kill
    except BaseExceptionGroup as errors:
        known, _ = errors.split(PodiumError)
        if known is None:
            raise
        raise _first(known) from errors


async def _until_ready_or(
    stop: asyncio.Event, processes: Mapping[str, KeptProcess], started: Callable[[], None]
) -> None:
    async def ready() -> None:
        for process in processes.values():
            await process.wait_ready()
        started()

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(ready(), name="wait until ready")
        stopped = group.create_task(stop.wait(), name="wait for stop")
        await asyncio.wait((waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stopped.cancel()


def answers(client: httpx.AsyncClient, url: str, *, environment: str | None = None) -> Probe:
    """A probe that passes when ``url`` is answered with a 2xx; through the gateway, by ``environment``."""
    headers = {} if environment is None else {"x-podium-arm": environment}

    async def probe() -> bool:
        try:
            return (await client.get(url, headers=headers)).is_success
        except httpx.HTTPError:
            return False

    return probe


def _with_ports(settings: Settings) -> Settings:
    """The settings with every port 0 of the gateway resolved. Raises ``ConfigurationError`` for a taken one."""
    changed = {}
    for field in ("listen", "control"):
        host, port = split_address(getattr(settings.gateway, field))
        found = require_free(host, port, f"gateway.{field}")
        changed[field] = f"[{host}]:{found}" if ":" in host else f"{host}:{found}"
    return settings.model_copy(update={"gateway": settings.gateway.model_copy(update=changed)})


def _check_length(socket: Path) -> None:
    if len(os.fsencode(socket)) > _MOST_SOCKET_BYTES:
        raise ConfigurationError(
            f"The folder for temporary files has a long name, and sockets cannot be made in it (more than "
            f"{_MOST_SOCKET_BYTES} bytes); set TMPDIR to a shorter one."
        )


def _write(path: Path, settings: Settings) -> None:
    path.touch(mode=0o600)
    path.write_text(settings.model_dump_json(indent=1), encoding="utf-8")


def _reachable(url: str) -> str:
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _first(errors: BaseExceptionGroup[PodiumError]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
