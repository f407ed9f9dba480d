"""What is served: names, versions and aliases; loading and unloading within one memory budget."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Self

import structlog

from podium.aio import tasks
from podium.config.models import Model
from podium.core.errors import (
    CheckpointInvalid,
    Conflict,
    InvalidRequest,
    MemoryBudgetExceeded,
    ModelNotFound,
    Overloaded,
    PodiumError,
)
from podium.models.served import ServedModel, Surroundings
from podium.models.status import Health, LoadReport, ModelStatus, UnloadReport

log = structlog.get_logger(__name__)

NO_SUCH_MODEL = "No model of that name is served here; GET /v1/models lists them."

STALLED_UNREADY_SECONDS = 8.0
IDLE_CHECK_SECONDS = 1.0


class Models:
    """All configured models. ``start`` begins loading; leaving the context unloads everything."""

    def __init__(self, configs: tuple[Model, ...], surroundings: Surroundings, *, budget_bytes: int) -> None:
        self._around = surroundings
        self._budget_bytes = budget_bytes
        self._served = {(config.name, config.version): ServedModel(config, surroundings) for config in configs}
        self._aliases = {alias: config.name for config in configs for alias in config.aliases}
        self._active = {config.name: config.version for config in reversed(configs)}
        self._default = configs[0].name
        self._initial: asyncio.Task[None] | None = None
        self._idle_watch: asyncio.Task[None] | None = None
        self._demanded: dict[ServedModel, asyncio.Task[None]] = {}
        self._waiting_for_loads = 0
        self._started = False
        self._budgeting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Begin loading the models that load at start, in the background, one after the other."""
        self._initial = tasks.start(self._load_initial(), name="initial models")
        self._idle_watch = tasks.start(self._watch_idle(), name="idle models")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Unload everything; worker processes are gone afterwards."""
        await tasks.stop(self._initial, self._idle_watch, *self._demanded.values())
        async with asyncio.TaskGroup() as group:
            for served in self._served.values():
                group.create_task(_unload(served), name=f"unload {served.id}")

    async def initial_loads(self) -> None:
        """Wait until every model that loads at start has been tried."""
        if self._initial is not None:
            await asyncio.shield(self._initial)

    def list(self) -> list[ModelStatus]:
        """Every version of every model."""
        return [self._status(served) for served in self._served.values()]

    def resolve(self, name: str) -> ModelStatus:
        """The version that ``name`` (name, alias or ``name@version``) means. Raises ``ModelNotFound``."""
        return self._status(self.find(name))

    def find(self, name: str) -> ServedModel:
        """Same, the model itself. A name is a dictionary key here, never a path."""
        given, at, version = name.partition("@")
        base = self._aliases.get(given, given)
        served = self._served.get((base, version if at else self._active.get(base, "")))
        if served is None:
            raise ModelNotFound(NO_SUCH_MODEL, param="model")
        return served

    async def find_loaded(self, name: str) -> ServedModel:
        """``find``, loading a model that loads on demand. Raises ``Overloaded`` when too many wait for that.

        The load belongs to the server, not to the request that caused it: cancelling the wait leaves it
        going on for the others.
        """
        served = self.find(name)
        if served.config.load == "demand" and served.state in {"unloaded", "loading", "warming"}:
            await self._wait_for_load(served)
        return served

    async def load(self, name: str, *, source: str | None = None, activate: bool = True) -> LoadReport:
        """Load a version and make it the one that the plain name means.

        With ``source``, a name or version that is not known yet is added; the source must lie under the
        allowed roots. The predecessor keeps serving the requests that it has; unload it when it is idle.
        Raises a ``ModelLoadError``, ``ModelNotFound`` or ``Conflict``.
        """
        known = frozenset(self._served)
        served = self.find(name) if source is None else self._add(name, source)
        try:
            report = await self._load(served)
        except BaseException:
            if (served.config.name, served.config.version) not in known:
                self._forget(served)  # else every failed attempt would leave a name, and a series, behind
            raise
        if activate:
            self._active[served.config.name] = served.config.version
        return report

    async def unload(self, name: str) -> UnloadReport:
        """Drain a version, end its worker, report the memory. Raises ``ModelNotFound``."""
        return await self.find(name).unload()

    def health(self) -> Health:
        """The three probes' answers, from state alone: constant cost, no engine call."""
        wanted = [served for served in self._served.values() if served.config.load == "start"]
        reasons = [f"{served.id} is {served.state}" for served in wanted if served.state != "ready"]
        stalled = [served for served in self._served.values() if served.stalled_seconds > STALLED_UNREADY_SECONDS]
        reasons += [f"{served.id} makes no progress" for served in stalled]
        reasons += [f"{served.id} is restarting" for served in wanted if served.state == "ready" and not served.serving]
        full = [served for served in wanted if _queue_full(self._status(served))]
        reasons += [f"the queue of {served.id} is full" for served in full]
        dead = any(served.stalled_seconds > 2 * self._around.server.stall_seconds for served in self._served.values())
        return Health(started=self._started, live=not dead, ready=self._started and not reasons, reasons=reasons)

    def _status(self, served: ServedModel) -> ModelStatus:
        name = served.config.name
        return served.status(active=self._active.get(name) == served.config.version, default=name == self._default)

    def _add(self, name: str, source: str) -> ServedModel:
        if not Path(source).expanduser().is_dir():
            # A hub id in a request would make the server fetch what a caller names.
            raise CheckpointInvalid("A source given at run time is a folder under server.model_roots, nothing else.")
        base, _, version = name.partition("@")
        key = (base, version or "1")
        if key in self._served:
            if self._served[key].config.source != source:
                raise Conflict("That version exists with another source; give a new version as name@version.")
            return self._served[key]
        try:
            config = Model(name=base, version=version or "1", source=source, load="manual")
        except ValueError as error:
            raise InvalidRequest(
                "A model name has 1 to 128 letters, digits, '.', '_', '-' or '/'.", param="model"
            ) from error
        self._served[key] = ServedModel(config, self._around)
        self._active.setdefault(base, config.version)
        return self._served[key]

    async def _wait_for_load(self, served: ServedModel) -> None:
        if self._waiting_for_loads >= self._around.server.max_queue:
            raise Overloaded("Too many requests wait for models to load. Try again later.", retry_after_seconds=5.0)
        task = self._demanded.get(served)
        if task is None:
            task = self._demanded[served] = tasks.start(self._try_load(served), name=f"load {served.id}")
            task.add_done_callback(lambda _: self._demanded.pop(served, None))
        self._waiting_for_loads += 1
        try:
            await asyncio.shield(task)
        finally:
            self._waiting_for_loads -= 1

    async def _try_load(self, served: ServedModel) -> None:
        """Load; a failure is in the model's state, where probes, lists and requests find it."""
        with contextlib.suppress(PodiumError):
            await self._load(served)

    def _forget(self, served: ServedModel) -> None:
        config = served.config
        del self._served[config.name, config.version]
        if self._active.get(config.name) == config.version:
            del self._active[config.name]

    async def _load(self, served: ServedModel) -> LoadReport:
        if served.state == "ready":
            return await served.load(self._make_room)
        async with self._budgeting:  # one load at a time: two together could each find the same room
            return await served.load(self._make_room)

    async def _make_room(self, wanted: ServedModel, needed: int) -> None:
        """Evict idle models, least recently used first, until ``wanted`` fits the budget.

        None before the server has started: models of one configuration that do not fit together would take turns, and
        it would never be ready.
        """
        loaded = {served: served.needed_bytes for served in self._served.values() if served.state == "ready"}
        unused = [served for served in loaded if self._started and not served.in_use]
        idle = sorted(unused, key=lambda served: served.last_used)
        while sum(loaded.values()) + needed > self._budget_bytes:
            if not idle:
                raise MemoryBudgetExceeded(
                    f"The model needs about {needed >> 20} MiB; {sum(loaded.values()) >> 20} MiB of the budget of "
                    f"{self._budget_bytes >> 20} MiB are in use. Raise server.memory_budget_bytes or unload a model."
                )
            victim = idle.pop(0)
            log.info("evicting", model=victim.id, for_model=wanted.id)
            await victim.unload()
            del loaded[victim]

    async def _load_initial(self) -> None:
        for served in list(self._served.values()):
            if served.config.load == "start":
                await self._try_load(served)
        self._started = True

    async def _watch_idle(self) -> None:
        while True:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            for served in list(self._served.values()):
                limit = served.config.idle_unload_seconds
                idle = time.monotonic() - served.last_used
                if limit and served.state == "ready" and not served.in_use and idle > limit:
                    log.info("unloading idle model", model=served.id, idle_seconds=round(idle, 1))
                    await served.unload()


def _queue_full(status: ModelStatus) -> bool:
    return status.queue_limit > 0 and status.waiting >= status.queue_limit


async def _unload(served: ServedModel) -> None:
    await served.unload()
