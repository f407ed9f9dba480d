"""A sweep: every configuration of a grid under every load, one server after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from itertools import product
from typing import Any

import msgspec

from podium.bench.local_server import LocalServer
from podium.bench.measured import Bench, Measured
from podium.bench.plan import Load, RunPlan
from podium.core.errors import InvalidRequest, PodiumError

Changes = dict[str, Any]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration under one load. ``refused``: why there is no run."""

    changes: Changes
    load: str
    run: str = ""
    refused: str = ""


def grid(vary: Mapping[str, Sequence[Any]]) -> list[Changes]:
    """Every combination of the values; one without changes when nothing is varied."""
    return [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]


def changed(settings: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """``settings`` with values at dotted paths (``models.0.engine.threads``). Raises ``InvalidRequest`` for no path."""
    found = deepcopy(dict(settings))
    for path, value in changes.items():
        *branches, leaf = path.split(".")
        place: Any = found
        for step in branches:
            place = _below(place, step, path)
        if isinstance(place, list):
            place[_index(place, leaf, path)] = value
        else:
            place[leaf] = value
    return found


def _below(place: Any, step: str, path: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, step, path)]
    if step == "engine" and isinstance(place.get(step), str):
        place[step] = {"kind": place[step]}
    below = place.setdefault(step, {})
    if not isinstance(below, dict | list):
        raise InvalidRequest(f"{path}: {step} holds a value, so nothing lies below it")
    return below


def _index(place: list[Any], step: str, path: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise InvalidRequest(f"{path}: {step} is no place in a list of {len(place)}; the first one is 0")
    return int(step)


def load_text(load: Load) -> str:
    """The load in a few words."""
    return f"{load.concurrency} users" if load.kind == "closed" else f"{load.rate:g}/s"


def sweep(
    bench: Bench,
    plan: RunPlan,
    settings: Mapping[str, Any],
    points: Sequence[Changes],
    loads: Sequence[Load],
    told: Callable[[Point, Measured | None], None],
    serve: type[LocalServer] = LocalServer,
) -> list[Point]:
    """Measure ``loads`` on a server of each configuration, or on what else ``serve`` starts.

    A configuration that does not start is noted, and the sweep goes on. Ctrl-C ends the server that runs.
    """
    found: list[Point] = []
    for number, changes in enumerate(points, start=1):
        starting = serve(changed(settings, changes))
        with closing(_configuration(bench, plan, starting, changes, loads, number)) as measuring:
            for point, measured in measuring:
                found.append(point)
                told(point, measured)
    return found


def _configuration(
    bench: Bench, plan: RunPlan, starting: LocalServer, changes: Changes, loads: Sequence[Load], number: int
) -> Generator[tuple[Point, Measured | None], None, None]:
    tags = {path.rpartition(".")[2]: str(value) for path, value in changes.items()}
    try:
        with starting as server:
            target = msgspec.structs.replace(plan.target, url=server.url)
            for at, load in enumerate(loads, start=1):
                planned = msgspec.structs.replace(plan, target=target, load=load)
                name = f"{number:02d}-{at:02d}"
                measured = bench.measure(planned, name, {**tags, "load": load_text(load)}, server.metrics_urls)
                yield Point(changes=changes, load=load_text(load), run=name), measured
    except PodiumError as error:
        yield Point(changes=changes, load="", refused=error.message), None
