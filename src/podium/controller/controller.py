"""The control plane's composition root: what feeds the gateway, and the routes that move it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from podium.access.run_keys import read_run_key
from podium.api.connection import connections
from podium.api.control.app import create_control_app, create_scrape_app
from podium.api.control.control import Control
from podium.config.gateway import split_address
from podium.config.server import RequestLimits
from podium.config.settings import Settings
from podium.controller.attempts_reader import AttemptsReader
from podium.controller.callers import gatekeeper_of
from podium.controller.certificate_watch import CertificateWatch
from podium.controller.comparer import Comparer
from podium.controller.copies_port import CopiesPort, bind
from podium.controller.deployer import Deployer
from podium.controller.monitoring import watch_of
from podium.controller.plane_facts import PlaneFacts
from podium.controller.recent_traffic import RecentAttempts
from podium.controller.resuming import is_overruled, resumed
from podium.controller.rollouts import Rollouts
from podium.controller.run_folder import RunFolder
from podium.controller.site import Site, this_machine
from podium.controller.splitter import GatewaySplitter
from podium.controller.stable_samples import StableSamples
from podium.controller.traffic_view import TrafficView
from podium.controller.watching import AttemptsWatcher
from podium.core.errors import ConfigurationError
from podium.gateway.attempts import AttemptsLog
from podium.gateway.snapshot import snapshot_of
from podium.gateway.topology import Topology, topology_of
from podium.gateway.traffic import Traffic
from podium.gateway.weights_file import WeightsFile
from podium.gateway.xds import DiscoveryServer
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.phases import World
from podium.rollout.reconciler import Reconciler
from podium.rollout.state import RolloutState
from podium.telemetry import logs

log = structlog.get_logger(__name__)

Place = Callable[[Settings, RunFolder], AbstractAsyncContextManager[Site]]


class _QuietServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: the composition root decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, folder: RunFolder, place: Place = this_machine) -> int:
    """Control the gateways of ``place`` until SIGTERM or SIGINT; returns the exit status.

    Gateways go on as they are when this ends, however it ends; started again, this goes on from the weights that
    were last confirmed.
    """
    logs.configure(style=settings.logs.format, level=settings.logs.level)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await control(settings, folder, stop, place)

    asyncio.run(main())
    return 0


async def control(settings: Settings, folder: RunFolder, stop: asyncio.Event, place: Place = this_machine) -> None:
    """``run`` inside a loop, until ``stop``. Raises ``ConfigurationError`` when the control port is taken."""
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(_bind(settings.gateway.control, "gateway.control"))
        history = stack.enter_context(HistoryOnDemand(Path(settings.rollout.history_file)))
        kept = WeightsFile(folder.weights)
        gatekeeper = await stack.enter_async_context(gatekeeper_of(settings))
        site = await stack.enter_async_context(place(settings, folder))
        shadow_key = read_run_key(settings.access.shadow_key_file, "access.shadow_key_file")
        topology = site.populated(wanted(settings, site, kept, history.state))
        topology = replace(topology, shadow_key=shadow_key or "")
        admin = site.admin
        discovery = DiscoveryServer(
            site.discovery,
            snapshot_of(topology),
            ack_seconds=settings.gateway.ack_seconds,
            handlers=site.handlers,
        )
        await stack.enter_async_context(discovery)
        attempts = AttemptsLog(folder.attempts_log)
        stack.callback(attempts.close)
        watch = await stack.enter_async_context(watch_of(settings, folder, admin, PlaneFacts(discovery, history)))
        traffic = Traffic(topology, discovery, kept)
        copies = CopiesPort()
        past = StableSamples(history.started)
        comparer = Comparer(traffic, copies, site.client, shadow_key)
        deploy_key = read_run_key(settings.access.deploy_key_file, "access.deploy_key_file")
        deployer = await stack.enter_async_context(Deployer(site.client, lambda: traffic.topology, deploy_key))
        fleet = site.fleet(lambda: traffic.topology)
        world = World(GatewaySplitter(traffic), fleet, comparer, deployer, past, time.time)
        overruled = is_overruled(history.state, settings.gateway)
        reconciler = Reconciler(
            history,
            world,
            watching_since=site.began,
            loading_seconds=site.loading_seconds,
            overruled=overruled,
        )
        recent = RecentAttempts()
        rollouts = Rollouts(
            history,
            reconciler,
            settings=settings,
            traffic=traffic,
            world=world,
            recent=recent,
            revisions=site.revisions,
        )
        routes = Control(
            traffic=TrafficView(traffic, discovery, admin=admin, attempts=attempts, taken=rollouts.moves_traffic),
            rollouts=rollouts,
            gatekeeper=gatekeeper,
            limits=settings.server.limits,
            address=listening.getsockname()[0],
            version=version("podium"),
            monitoring=watch.view,
        )
        watcher = site.watcher(AttemptsWatcher(reconciler, recent, past))
        reader = AttemptsReader(folder.attempts_log, attempts, admin, watcher=watcher)
        loops = {"attempts reader": reader.run(), "rollouts": reconciler.run(), "monitor": watch.run()}
        loops |= {"comparer": comparer.run(), **site.loops(traffic)}
        if site.copies is not None:
            loops["copies"] = _answer_copies(copies, stack.enter_context(bind(site.copies)))
        if site.scraped:
            loops["scrapes"] = _answer_scrapes(routes, stack.enter_context(_bind(site.scraped, "--scraped")))
        if settings.gateway.tls is not None:
            loops["certificate watch"] = CertificateWatch(settings.gateway.tls, traffic).run()
        await _work(routes, listening, stop, loops)


def wanted(settings: Settings, site: Site, kept: WeightsFile, state: RolloutState) -> Topology:
    """The topology to begin with: of the settings, as the last rollout and the last confirmed weights left it."""
    copies = "" if site.copies is None else str(site.copies)
    topology = topology_of(settings, attempts_log=site.log, copies_socket=copies)
    return resumed(topology, state, settings.gateway, kept.read(topology.names))


async def _work(
    routes: Control, listening: socket.socket, stop: asyncio.Event, loops: Mapping[str, Coroutine[None, None, None]]
) -> None:
    """Serve and run ``loops`` until ``stop``. When one of them fails, everything ends, and is started again."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(loop, name=name) for name, loop in loops.items()]
        await _serve(routes, listening, stop)
        for task in running:
            task.cancel()


async def _serve(routes: Control, listening: socket.socket, stop: asyncio.Event) -> None:
    server = _server(create_control_app(routes), routes.limits)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listening]), name="control port")
        log.info("controlling", control=f"http://{listening.getsockname()[0]}:{listening.getsockname()[1]}")
        await stop.wait()
        server.should_exit = True


def _server(app: ASGIApp, limits: RequestLimits) -> _QuietServer:
    return _QuietServer(
        uvicorn.Config(
            app,
            http=connections(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )


async def _answer_scrapes(routes: Control, listening: socket.socket) -> None:
    """Show the monitor's figures to who has a key that may read them, until cancelled."""
    reached = replace(routes, address=listening.getsockname()[0])
    await _server(create_scrape_app(reached), routes.limits).serve(sockets=[listening])


async def _answer_copies(copies: CopiesPort, listening: socket.socket) -> None:
    """Take Envoy's copies until cancelled."""
    server = _QuietServer(
        uvicorn.Config(copies, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    )
    await server.serve(sockets=[listening])


def _bind(address: str, setting: str) -> socket.socket:
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Stop what listens there, or set {setting}."
        ) from error
    bound.setblocking(False)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; asyncio sets it on its own sockets only
    return bound
