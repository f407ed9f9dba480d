"""What identifies a model version: its files by content, and how its engine is set."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from podium.config.engine import Engine
from podium.config.models import Model
from podium.core.errors import CheckpointInvalid
from podium.engine.one_shot import Plan
from podium.engine.text2text import Text2TextPlan
from podium.models.hash_memo import HashMemo

CLOCK_STEP_SECONDS = 0.02
"""Time stamps of files lag behind the clock by up to one tick of the kernel."""


async def model_digest(
    model: Model,
    folder: Path,
    engine: Engine,
    cache_dir: Path,
    *,
    loaded_at_unix_seconds: float | None = None,
    plan: Plan | Text2TextPlan | None = None,
) -> str:
    """64 hex digits that change when anything in this server changes what ``model`` answers.

    Covers every file of ``folder`` (weights, tokenizer, templates, configurations; names and contents,
    subfolders too; hidden files and folders are left out), the content of ``chat_template_file``, all settings
    of the chosen ``engine``, ``max_model_len``, ``trust_remote_code`` and the ``plan``, where the model has one.
    Where there is no folder (``echo``, ``remote``), the settings alone: what another server loads behind the same
    address is not seen, so there an answer may be as old as ``cache.ttl_seconds``. Library versions are not in
    it; the engine's own is in ``ModelIdentity``.

    Every file is read once: its hash is kept in ``cache_dir`` for as long as its size, times and inode stay the
    same. Runs in a thread, as slow as the disk; cancelling ends that within one file. Raises
    ``CheckpointInvalid`` when a file cannot be read or changes while it is, and when one has changed after
    ``loaded_at_unix_seconds``: give the time just before the worker began to load, or hash before it does, for
    else the digest could be of other files than those that answer.
    """
    stop = threading.Event()
    try:
        return await asyncio.to_thread(
            lambda: _digest(model, folder, engine, plan, _Reading(cache_dir, loaded_at_unix_seconds, stop))
        )
    finally:
        stop.set()


def _digest(model: Model, folder: Path, engine: Engine, plan: Plan | Text2TextPlan | None, reading: _Reading) -> str:
    try:
        files = {name: reading.sha256(folder / path) for name, path in _files(folder)}
        template = None if model.chat_template_file is None else reading.sha256(Path(model.chat_template_file))
    except OSError as error:
        raise CheckpointInvalid("A file of the model cannot be read; check its permissions.") from error
    reading.memo.save()
    settings = engine.model_dump(mode="json")
    parts: list[Any] = ["podium model 1", files, template, settings, model.max_model_len, model.trust_remote_code]
    if plan is not None:
        parts.append(plan)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Every file below ``folder`` that is not hidden, by name, any bytes in it; none where there is no folder."""
    if not folder.is_dir():
        return []
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return sorted((os.fsencode(path).decode("latin-1"), path) for path in shown)


class _Stopped(Exception):
    """Nobody waits any more."""


class _Reading:
    """Hashes files until it is told to stop."""

    def __init__(self, cache_dir: Path, loaded_at_unix_seconds: float | None, stop: threading.Event) -> None:
        self.memo = HashMemo(cache_dir)
        self._loaded_at = loaded_at_unix_seconds
        self._stop = stop

    def sha256(self, path: Path) -> str:
        if self._stop.is_set():
            raise _Stopped
        digest = self.memo.sha256(path)
        if self._loaded_at is not None and path.stat().st_ctime > self._loaded_at - CLOCK_STEP_SECONDS:
            raise CheckpointInvalid("A file of the model changed after it was loaded; load the model again.")
        return digest
