"""One version of one model: its state, its engine, its admission gate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from podium.aio import tasks
from podium.cache.key import ModelIdentity
from podium.config.models import Model
from podium.config.server import Server
from podium.core.errors import CheckpointInvalid, ModelLoadError, ModelNotReady, PodiumError, UnsupportedParameter
from podium.core.generation import SamplingParams, TextPrompt
from podium.core.one_shot import Task
from podium.engine.admission import AdmissionGate
from podium.engine.handle import EngineCounters, EngineHandle
from podium.engine.interface import EngineGauges
from podium.engine.messages import Load, Ready
from podium.engine.process import WorkerCommand
from podium.models.lifecycle import ModelState, advance
from podium.models.memory import process_tree_bytes
from podium.models.model_digest import model_digest
from podium.models.runnable import Runnable, SourcePolicy, make_runnable
from podium.models.status import LoadProgress, LoadReport, ModelStatus, UnloadReport

log = structlog.get_logger(__name__)

WARM_UP = SamplingParams(max_tokens=2, temperature=0.0, ignore_eos=True)
WARM_UP_SECONDS = 120.0
WARM_UP_TEXT = TextPrompt("Hello")
BATCHES_AHEAD = 2  # of a one-shot model: the next batch is there when one is computed


@dataclass(frozen=True)
class Surroundings:
    """What a model needs of the server around it."""

    server: Server
    policy: SourcePolicy
    environment: Mapping[str, str]


MakeRoom = Callable[["ServedModel", int], Awaitable[None]]
"""Called with the model and the bytes it needs; raises ``MemoryBudgetExceeded``."""


class ServedModel:
    """Loads, serves and unloads. One load or unload runs at a time; a second call waits for the first.

    ``identity`` is what answers are kept under: None until the model's files have been hashed, which happens
    beside the first requests and never delays them.
    """

    def __init__(self, config: Model, surroundings: Surroundings) -> None:
        self.config = config
        self.state: ModelState = "unloaded"
        self.request_count = 0
        self.last_used = time.monotonic()
        self.error: PodiumError | None = None
        self.identity: ModelIdentity | None = None
        self._identifying: asyncio.Task[None] | None = None
        self._around = surroundings
        self._handle: EngineHandle | None = None
        self._counters = EngineCounters()
        self._gate: AdmissionGate | None = None
        self._runnable: Runnable | None = None
        self._progress: LoadProgress | None = None
        self._loaded_at: float | None = None
        self._created = int(time.time())
        self._before_bytes = 0
        self._changing = asyncio.Lock()
        self._unloading: asyncio.Task[UnloadReport] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._users = 0

    @property
    def id(self) -> str:
        """``name@version``."""
        return f"{self.config.name}@{self.config.version}"

    @property
    def in_use(self) -> int:
        """Requests that hold this model, queued ones included."""
        return self._users

    @property
    def needed_bytes(self) -> int:
        """Estimated memory of the worker, the larger of the estimate and the measurement."""
        estimate = self._runnable.needed_bytes if self._runnable else 0
        return max(estimate, self._handle.rss_bytes if self._handle else 0)

    @property
    def stalled_seconds(self) -> float:
        """How long the engine has been without progress while it had work."""
        return 0.0 if self._handle is None else self._handle.stalled_seconds

    @property
    def task(self) -> Task | None:
        """What it does; None until it is known."""
        if self._handle is not None and self._handle.ready is not None:
            return self._handle.ready.facts.task
        return None if self.config.task == "auto" else self.config.task

    @property
    def serving(self) -> bool:
        """Ready, with a living worker."""
        return self.state == "ready" and self._handle is not None and self._handle.state == "ready"

    async def load(self, make_room: MakeRoom) -> LoadReport:
        """From unloaded (or failed) to ready; a no-op when ready. Raises a ``ModelLoadError``.

        ``make_room`` is called once it is known how much memory the worker will take. On cancellation
        the worker is killed and the model is unloaded again.
        """
        async with self._changing:
            started = time.monotonic()
            if self.state != "ready":
                self._enter("loading")
                try:
                    await self._load(make_room)
                except PodiumError as error:
                    self._fail(error)
                    raise
                except asyncio.CancelledError:
                    self._enter("unloaded")
                    raise
            assert self._handle is not None and self._runnable is not None  # noqa: S101, PT018 - this is a bug
            return LoadReport(
                name=self.config.name,
                version=self.config.version,
                engine=self._runnable.choice.engine.kind,
                load_seconds=time.monotonic() - started,
                memory_bytes=self._handle.rss_bytes,
            )

    async def unload(self) -> UnloadReport:
        """Finish what runs (until ``server.drain_seconds``), end the worker, measure. No-op when unloaded.

        Once begun it goes to its end: cancelling the wait leaves it going on. A second call joins it.
        """
        if self._unloading is None or self._unloading.done():
            self._unloading = tasks.start(self._unload(), name=f"unload {self.id}")
        return await asyncio.shield(self._unloading)

    async def _unload(self) -> UnloadReport:
        async with self._changing:
            loaded_bytes = await asyncio.to_thread(process_tree_bytes)
            if self.state == "ready":
                self._enter("draining")
                await self._drain()
                await self._close()
                self._enter("unloaded")
            return UnloadReport(
                name=self.config.name,
                version=self.config.version,
                memory_before_bytes=self._before_bytes,
                memory_loaded_bytes=loaded_bytes,
                memory_after_bytes=await asyncio.to_thread(process_tree_bytes),
            )

    def use(self) -> tuple[EngineHandle, AdmissionGate, Ready]:
        """Hold the model for one request; pair with ``release``. Raises ``ModelNotReady``."""
        handle, gate = self._handle, self._gate
        if self.state != "ready" or handle is None or gate is None or handle.ready is None:
            raise ModelNotReady(
                f"The model is {self.state}. Load it with POST /models/{{name}}/load, or try again later.",
                retry_after_seconds=5.0 if self.state in {"loading", "warming"} else None,
            )
        self._users += 1
        self._idle.clear()
        self.request_count += 1
        self.last_used = time.monotonic()
        return handle, gate, handle.ready

    def release(self) -> None:
        """The request is over."""
        self._users -= 1
        self.last_used = time.monotonic()
        if self._users == 0:
            self._idle.set()

    def status(self, *, active: bool, default: bool) -> ModelStatus:
        """Everything there is to tell, now."""
        handle, gate, runnable = self._handle, self._gate, self._runnable
        ready = None if handle is None else handle.ready
        gauges = EngineGauges() if handle is None else handle.gauges
        return ModelStatus(
            name=self.config.name,
            version=self.config.version,
            aliases=self.config.aliases,
            state=self.state,
            serving=self.serving,
            active=active,
            default=default,
            source=self.config.source,
            engine=runnable.choice.engine.kind if runnable else self.config.engine.kind,
            engine_reason=runnable.choice.reason if runnable else "",
            task=self.task,
            precision=ready.facts.precision if ready else "",
            max_model_len=ready.facts.max_model_len if ready else self.config.max_model_len,
            created_unix_seconds=self._created,
            loaded_at_unix_seconds=self._loaded_at,
            request_count=self.request_count,
            running=gate.running if gate else 0,
            waiting=gate.waiting if gate else 0,
            running_limit=gate.permits if gate else 0,
            queue_limit=gate.queue_limit if gate else 0,
            restarts=self._counters.restarts,
            tokens=self._counters.tokens,
            gaps=self._counters.gaps,
            memory_bytes=handle.rss_bytes if handle and self.state == "ready" else None,
            kv_cache_usage_ratio=gauges.kv_cache_usage_ratio,
            stalled_seconds=self.stalled_seconds,
            progress=self._progress,
            error=self.error.message if self.error else None,
        )

    async def _load(self, make_room: MakeRoom) -> None:
        self._runnable = runnable = await make_runnable(self.config, self._around.policy, self._report)
        await make_room(self, runnable.needed_bytes)
        log.info("engine chosen", model=self.id, engine=runnable.choice.engine.kind, reason=runnable.choice.reason)
        handle = self._new_handle(runnable)
        self._before_bytes = await asyncio.to_thread(process_tree_bytes)
        self._report("starting the worker", -1)
        started_at = time.time()
        ready = await handle.start()
        self._handle = handle
        self._enter("warming")
        try:
            await self._warm_up(handle, one_shot=runnable.one_shot is not None)
        except BaseException:
            await self._close()
            raise
        server = self._around.server
        self._gate = AdmissionGate(
            permits=ready.facts.max_batch_sequences * (1 if runnable.one_shot is None else BATCHES_AHEAD),
            queue=server.max_queue,
            queue_tokens=server.max_queue_tokens,
        )
        self._identifying = tasks.start(self._identify(runnable, ready, started_at), name=f"identify {self.id}")
        self._loaded_at = time.time()
        self._progress = None
        self.error = None
        self._enter("ready")
        log.info("model ready", model=self.id, load_seconds=round(ready.load_seconds, 3), rss_bytes=handle.rss_bytes)

    async def _identify(self, runnable: Runnable, ready: Ready, loaded_at: float) -> None:
        cache_dir = self._around.policy.cache_dir
        try:
            digest = await model_digest(
                self.config,
                runnable.folder,
                runnable.choice.engine,
                cache_dir,
                loaded_at_unix_seconds=loaded_at,
                plan=runnable.plan,
            )
        except PodiumError as error:
            log.warning("answers are not kept", model=self.id, reason=error.message)
            return
        facts = ready.facts
        self.identity = ModelIdentity(
            name=self.config.name,
            version=self.config.version,
            digest=digest,
            engine=facts.engine,
            engine_version=facts.engine_version,
            precision=facts.precision,
            device=facts.device,
            max_model_len=facts.max_model_len,
        )

    def _new_handle(self, runnable: Runnable) -> EngineHandle:
        config, server = self.config, self._around.server
        command = WorkerCommand(name=self.id, environment=self._around.environment)
        if config.python is not None:
            command = WorkerCommand(name=self.id, environment=self._around.environment, python=config.python)
        message = Load(
            model_dir=str(runnable.folder),
            engine=runnable.choice.engine.model_dump(),
            max_model_len=config.max_model_len,
            chat_template=None if config.chat_template_file is None else _template(Path(config.chat_template_file)),
            tool_format=config.tool_format,
            trust_remote_code=config.trust_remote_code,
            heartbeat_seconds=server.heartbeat_seconds,
            one_shot=runnable.one_shot,
            text2text=runnable.text2text,
        )
        return EngineHandle(
            command,
            message,
            stall_seconds=server.stall_seconds,
            load_seconds=server.load_seconds,
            report=self._report,
            counters=self._counters,
        )

    async def _warm_up(self, handle: EngineHandle, *, one_shot: bool) -> None:
        """One real request: a model that cannot answer is not ready."""
        self._report("warming up", -1)
        try:
            async with asyncio.timeout(WARM_UP_SECONDS):
                await (_embed_once(handle) if one_shot else _generate_once(handle))
        except TimeoutError as error:
            raise ModelLoadError(f"The first request took longer than {WARM_UP_SECONDS:g} s.") from error
        except PodiumError as error:
            raise ModelLoadError(f"The first request failed: {error.message}") from error

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._around.server.drain_seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("drain deadline passed", model=self.id, in_flight=self._users)

    async def _close(self) -> None:
        handle, self._handle, self._gate = self._handle, None, None
        self._loaded_at = None
        self.identity = None
        identifying, self._identifying = self._identifying, None
        await tasks.stop(identifying)
        if handle is not None:
            await handle.close()

    def _fail(self, error: PodiumError) -> None:
        self.error = error
        self._progress = None
        self._enter("failed")
        log.error("model failed to load", model=self.id, error=error.code, message=error.message)

    def _report(self, stage: str, ratio: float) -> None:
        if self._progress is None or self._progress.stage != stage:
            log.info("loading", model=self.id, stage=stage)
        self._progress = LoadProgress(stage, ratio)

    def _enter(self, state: ModelState) -> None:
        self.state = advance(self.state, state)


def _template(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointInvalid(
            "models[].chat_template_file cannot be read as UTF-8 text; check that it is there, and who may read it."
        ) from error


async def _generate_once(handle: EngineHandle) -> None:
    flight = handle.submit(WARM_UP_TEXT, WARM_UP, default_max_tokens=2)
    try:
        async for _ in flight:
            pass
    finally:
        flight.close()


async def _embed_once(handle: EngineHandle) -> None:
    tokens = await handle.tokenize_inputs((WARM_UP_TEXT,))
    await handle.compute(tokens.inputs)


def refuse_unsupported(sampling: SamplingParams, unsupported: Mapping[str, str], engine: str) -> None:
    """Raise ``UnsupportedParameter`` for a parameter that the engine cannot honour; never ignore it."""
    default = SamplingParams()
    for name, other in unsupported.items():
        if getattr(sampling, name, None) != getattr(default, name, None):
            raise UnsupportedParameter(
                f"The {engine} engine, which serves this model, cannot honour {name}; "
                + (f"the {other} engine can." if other else "no engine can for a model of its task."),
                param=name,
            )
