"""A server of batches that may be killed: ``python -m support.batch_process FOLDER SECONDS [POINT]``.

Its model answers after SECONDS. At POINT it kills itself: ``written`` is when the first file of results was written and
has no name yet, ``kept`` when all have theirs and the database does not know them. Without one it runs until killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from podium.batches.batch_table import BatchTable
from podium.batches.folder import Folder
from support.batches import Model, Told, running


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(point: str) -> None:
    if point == "written":
        Folder.keep = _die  # type: ignore[method-assign,assignment]
        return
    change = BatchTable.change

    def dying(self: BatchTable, batch_id: str, change_it: Any, *files: Any) -> Any:
        if files:
            _die()
        return change(self, batch_id, change_it, *files)

    BatchTable.change = dying  # type: ignore[method-assign,assignment]


async def main(folder: Path, seconds: float) -> None:
    """Serve."""

    async def answer(body: dict[str, Any]) -> Told:
        await asyncio.sleep(seconds)
        return Told(status=200 if body["prompt"][-1] != "7" else 400)

    async with running(folder, Model(answer), parallel=4):
        await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[3:]:
        _arm(sys.argv[3])
    uvloop.run(main(Path(sys.argv[1]), float(sys.argv[2])))
