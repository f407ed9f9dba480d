"""``podium serve`` with the echo engine, as a process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import ServerProcess, free_port

MODEL = "echo"
DRAIN_SECONDS = 2.0


@dataclass(frozen=True)
class Podium:
    """A running server."""

    process: ServerProcess
    port: int
    admin_port: int


@dataclass(frozen=True)
class Wish:
    """How a server shall be: ``core`` pins it and its worker; ``sections`` are those of ``podium.yaml``.

    ``limits`` goes into its section ``server``. Without a section ``access`` it serves anonymous callers.
    """

    label: str
    engine: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    core: int | None = None
    limits: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def podium_server(wish: Wish, around: Surroundings) -> Iterator[Podium]:
    """Start one on free ports; it is ready when the block begins, and gone after it."""
    port, admin_port = free_port(), free_port()
    config = around.work / f"{wish.label}.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    nowhere = {"access": {"database": str(around.work / "no-keys.db")}}
    settings = {**nowhere, **wish.sections, **_own_sections(wish, port, admin_port)}
    config.write_text(yaml.safe_dump(settings), "utf-8")
    process = ServerProcess(
        [*pinned(wish.core), around.python, "-m", "podium", "serve", "--config", str(config)],
        around.environment,
        around.work / f"{wish.label}.log",
        (admin_port, "/readyz"),
        around.repository,
    )
    with process:
        yield Podium(process, port, admin_port)


@contextlib.contextmanager
def podium_servers(wish: Wish, count: int, around: Surroundings) -> Iterator[list[Podium]]:
    """Several of the same kind."""
    with contextlib.ExitStack() as stack:
        wishes = [Wish(f"{wish.label}-{number}", wish.engine, wish.sections, wish.core) for number in range(count)]
        yield [stack.enter_context(podium_server(one, around)) for one in wishes]


def pinned(core: int | None) -> list[str]:
    """The start of a command that keeps a program and its children on one core."""
    return [] if core is None else ["taskset", "--cpu-list", str(core)]


def _own_sections(wish: Wish, port: int, admin_port: int) -> dict[str, Any]:
    return {
        "models": [{"name": MODEL, "source": "none", "engine": {"kind": "echo", **wish.engine}}],
        "server": {"port": port, "admin_port": admin_port, "drain_seconds": DRAIN_SECONDS, **wish.limits},
        "logs": {"format": "json"},
    }
