"""Runs that are over, from their folders, and whether they are alike enough to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from podium.bench.result import RESULT_FILE, RunResult, load
from podium.core.errors import InvalidRequest, NotFound

_MAY_DIFFER = ("target", "seed", "words", "workers", "calibrate")


def runs_in(folder: Path) -> list[RunResult]:
    """The run that ``folder`` is, or the runs in it, by their time. Raises ``NotFound`` when there is none."""
    folders = [folder] if folder.is_file() or (folder / RESULT_FILE).exists() else []
    folders = folders or sorted(path.parent for path in folder.glob(f"*/{RESULT_FILE}"))
    if not folders:
        raise NotFound(f"no run there; a folder with {RESULT_FILE}, or with such folders in it, is needed")
    return sorted((load(found) for found in folders), key=lambda run: run.provenance.started_at)


def are_interleaved(a: Sequence[RunResult], b: Sequence[RunResult]) -> bool:
    """Whether the i-th runs of both sides were neighbours in time, so that they form pairs."""
    if len(a) != len(b):
        return False
    marked = sorted([(run.provenance.started_at, "A") for run in a] + [(run.provenance.started_at, "B") for run in b])
    sides = [side for _, side in marked]
    return all({first, second} == {"A", "B"} for first, second in zip(sides[::2], sides[1::2], strict=True))


def require_same_load(runs: Sequence[RunResult]) -> None:
    """Raises ``InvalidRequest`` naming what differs, when the runs did not all measure the same load."""
    first = _comparable(runs[0])
    for run in runs[1:]:
        differing = [name for name, value in _comparable(run).items() if value != first.get(name)]
        if differing:
            raise InvalidRequest(
                f"the runs differ in {', '.join(differing)}, so their figures cannot be compared; repeat one of them"
            )


def _comparable(run: RunResult) -> dict[str, Any]:
    kept = {name: value for name, value in run.plan.items() if name not in _MAY_DIFFER}
    return kept | {"api": run.provenance.dialect, "whether answers are streamed": run.streamed}
