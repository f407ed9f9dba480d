"""The data plane's composition root: settings in, a running server out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from podium.api.admin_app import create_admin_app
from podium.api.app import create_app
from podium.api.backend import Backend
from podium.api.connection import connections
from podium.api.text_tasks import TextTasks
from podium.batches.keeper import BatchKeeper
from podium.config.models import Model
from podium.config.server import Server
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.models.classification import Classifier
from podium.models.dispatch import Dispatcher
from podium.models.embedding import Embedder
from podium.models.fill_mask import MaskFiller
from podium.models.memory import available_bytes
from podium.models.one_shot import OneShots
from podium.models.question_answering import QuestionAnswerer
from podium.models.registry import Models
from podium.models.runnable import SourcePolicy
from podium.models.semantic import SemanticAnswers
from podium.models.served import Surroundings
from podium.models.token_classification import TokenClassifier
from podium.models.uncounted import CopiesUncounted, Uncounted
from podium.models.zero_shot import ZeroShotClassifier
from podium.server.batching import batch_runner
from podium.server.guards import Guards
from podium.server.observers import Observers, otlp_export
from podium.telemetry import logs
from podium.telemetry.exposition import Formats
from podium.telemetry.gpus import nvml_gpus
from podium.telemetry.metrics import ServerMetrics

if TYPE_CHECKING:
    from podium.api.inference.grpc_service import InferencePort

log = structlog.get_logger(__name__)

BUDGET_SHARE = 0.8
BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True)
class Addresses:
    """Where the server listens, ports resolved."""

    traffic: str
    admin: str


class _QuietServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: the composition root decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PodiumServer:
    """A server of one configuration. ``start`` binds and begins loading; ``stop`` drains; both once.

    Being started means the ports answer; ``/readyz`` tells when the models do.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        server = settings.server
        policy = SourcePolicy(roots=model_roots(settings), cache_dir=Path(server.cache_dir).expanduser())
        budget = server.memory_budget_bytes or int(available_bytes() * BUDGET_SHARE)
        self._server = server
        self._draining = False
        self._guards = guards = Guards(settings)
        self.models = Models(settings.models, Surroundings(server, policy, environment), budget_bytes=budget)
        semantic = settings.cache.semantic
        if semantic is not None:
            own = Embedder(OneShots(self.models, Uncounted(), default_timeout_seconds=0.0))
            guards.sharing.semantic = SemanticAnswers(semantic, guards.cache, own)
        quotas = CopiesUncounted(guards.quotas)
        dispatcher = Dispatcher(
            self.models,
            quotas,
            guards.sharing,
            default_max_tokens=server.default_max_tokens,
            default_timeout_seconds=server.default_timeout_seconds,
        )
        one_shots = OneShots(self.models, quotas, default_timeout_seconds=server.default_timeout_seconds)
        told = settings.telemetry
        self._export = export = otlp_export(settings, version("podium"))
        metrics = ServerMetrics(
            self.models.list,
            version=version("podium"),
            shared=guards.shared_state(),
            gpus=nvml_gpus(),
            collectors=() if export is None else (export,),
            formats=Formats(native_histograms=told.native_histograms, vllm_names=told.vllm_names),
            sampled_only=export is not None,
        )
        if export is not None:
            export.send_metrics_of(metrics.registry)
        batches = BatchKeeper(settings.batches) if settings.batches.folder else None
        backend = Backend(
            dispatcher=dispatcher,
            embedder=Embedder(one_shots),
            classifier=Classifier(one_shots),
            text_tasks=TextTasks(
                token_classifier=TokenClassifier(one_shots),
                zero_shot=ZeroShotClassifier(one_shots),
                mask_filler=MaskFiller(one_shots),
                question_answerer=QuestionAnswerer(one_shots),
            ),
            models=self.models,
            server=server,
            access=settings.access,
            gatekeeper=guards.gatekeeper,
            cache=guards.cache,
            usage=guards.quotas,
            metrics=metrics.exposition,
            draining=lambda: self._draining,
            started_at_monotonic_seconds=time.monotonic(),
            observer=metrics if export is None else Observers(metrics, export),
            batches=batches,
            version=version("podium"),
            trace_ratio=0.0 if export is None else told.trace_ratio,
        )
        app = create_app(backend)
        self._traffic = _QuietServer(_uvicorn_config(app, server))
        self._inference = _inference_port(app, server)
        self._batches = batch_runner(app, batches, server)
        self._admin = _QuietServer(_uvicorn_config(create_admin_app(backend), server))

    async def run(self, stop: asyncio.Event, started: asyncio.Future[Addresses] | None = None) -> None:
        """Serve until ``stop``, then: unready, refuse new work, finish streams to the deadline, unload.

        ``started`` gets the addresses once both ports answer. Raises ``ConfigurationError`` when a port
        is taken, or when anybody could call from elsewhere.
        """
        async with self._guards:
            with ExitStack() as ports:
                traffic = ports.enter_context(_bind(self._server.host, self._server.port))
                admin = ports.enter_context(_bind(self._server.admin_host, self._server.admin_port))
                await self._serve(traffic, admin, stop, started)

    async def _serve(
        self,
        traffic: socket.socket,
        admin: socket.socket,
        stop: asyncio.Event,
        started: asyncio.Future[Addresses] | None,
    ) -> None:
        addresses = Addresses(traffic=_url(traffic), admin=_url(admin))
        inference = self._inference or contextlib.nullcontext()
        export = self._export or contextlib.nullcontext()
        batches = self._batches or contextlib.nullcontext()
        async with export, self.models, inference, batches, asyncio.TaskGroup() as group:
            traffic_task = group.create_task(self._traffic.serve(sockets=[traffic]), name="traffic port")
            group.create_task(self._admin.serve(sockets=[admin]), name="admin port")
            grpc = {} if self._inference is None else {"grpc": self._inference.address}
            log.info("listening", traffic=addresses.traffic, admin=addresses.admin, **grpc)
            if started is not None:
                started.set_result(addresses)
            _settle_garbage()
            await stop.wait()
            log.info("draining", deadline_seconds=self._server.drain_seconds)
            self._draining = True
            self._traffic.should_exit = True
            if self._batches is not None:
                group.create_task(self._batches.drain(self._server.drain_seconds), name="drain batches")
            if self._inference is not None:
                await self._inference.drain(self._server.drain_seconds)
            await traffic_task  # probes answer (unready) until the last stream has ended
            self._admin.should_exit = True
        log.info("stopped")


def run(settings: Settings, environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status (0 after a drain)."""
    logs.configure(style=settings.logs.format, level=settings.logs.level)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await PodiumServer(settings, environment).run(stop)

    uvloop.run(main())
    return 0


def model_roots(settings: Settings) -> tuple[Path, ...]:
    """Folders that models may come from: the configured roots, else the configured folders themselves."""
    if settings.server.model_roots:
        return tuple(Path(root).expanduser().resolve() for root in settings.server.model_roots)
    return tuple(_local_folder(model) for model in settings.models if _local_folder(model).is_dir())


def _local_folder(model: Model) -> Path:
    return Path(model.source).expanduser().resolve()


def _uvicorn_config(app: object, server: Server) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=connections(server.limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(server.drain_seconds)),
    )


def _inference_port(app: ASGIApp, server: Server) -> InferencePort | None:
    if server.grpc_port is None:
        return None
    from podium.api.inference.grpc_service import InferencePort  # noqa: PLC0415 - gRPC costs 10 MB; most have no use for it

    name = next(iter(server.allowed_hosts), "localhost")
    return InferencePort(app, server.host, server.grpc_port, host_name=name, limits=server.limits)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Stop what listens there, or choose another port."
        ) from error
    bound.setblocking(False)
    return bound


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _settle_garbage() -> None:
    """Long-lived start-up objects need no scan: full collections shrink from tens of ms to under one."""
    gc.collect()
    gc.freeze()
