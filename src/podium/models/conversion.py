"""Turns a safetensors checkpoint into OpenVINO IR once, and keeps the result by content.

A result appears in the cache under its final name only when it is complete; the work itself is done by
``converter``, in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from podium.core.errors import ConfigurationError, UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.engine.interface import ProgressReport
from podium.models.checkpoint import Checkpoint
from podium.models.converter import OPTIMUM, Converter, Precision
from podium.models.file_hashes import content_hash

_LAYOUT = "1"
"""Raised when the converter changes what it writes, so that old results are not found."""

_DISTRIBUTIONS = ("optimum-intel", "openvino", "openvino-tokenizers", "nncf", "transformers", "torch")
_LOCK_PAUSE_SECONDS = 0.1


async def convert(
    checkpoint: Checkpoint,
    precision: Precision,
    cache_dir: Path,
    report: ProgressReport,
    *,
    converter: Converter = OPTIMUM,
) -> Path:
    """The folder with the IR of ``checkpoint`` at ``precision``, converted now or earlier.

    ``bf16`` shares the 16-bit weights of ``f16``; the arithmetic is the engine's choice. Two conversions
    of the same content wait for each other, also across processes, and the second takes the first's
    result. Cancelling ends the converter and leaves nothing behind. Raises ``UnsupportedArchitecture``,
    ``MissingExtra`` or another ``ModelLoadError``; then the converter's own words are in a ``.log`` file
    in ``cache_dir``. ``ConfigurationError`` when ``cache_dir`` cannot be written.
    """
    if checkpoint.task == "text2text_generation":
        raise UnsupportedArchitecture("Encoder-decoders are not converted: engine transformers runs them as they are.")
    stored: Precision = "f16" if precision == "bf16" else precision
    report("hashing", -1.0)
    target = cache_dir / await asyncio.to_thread(cache_key, checkpoint.path, stored, checkpoint.task)
    async with _exclusive(cache_dir, target.name):
        if not target.is_dir():
            await asyncio.to_thread(_remove_stale, target)
            await _convert_into(target, checkpoint, stored, report, converter)
    return target


def cache_key(folder: Path, precision: Precision, task: Task = "generate") -> str:
    """Folder name of a conversion: content, precision, task and converter versions. Hashes every file."""
    digest = hashlib.sha256()
    parts = (_LAYOUT, content_hash(folder), precision, *map(_version, _DISTRIBUTIONS))
    for part in parts if task == "generate" else (*parts, task):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"{precision}-{digest.hexdigest()[:40]}"


async def _convert_into(
    target: Path, checkpoint: Checkpoint, precision: Precision, report: ProgressReport, converter: Converter
) -> None:
    """Convert beside ``target`` and rename: the final name either does not exist or holds everything."""
    partial = Path(tempfile.mkdtemp(prefix=_partial_prefix(target), dir=target.parent))
    log = target.with_suffix(".log")
    try:
        with await asyncio.to_thread(log.open, "wb") as errors:
            await converter.run(checkpoint, precision, partial, report=report, errors=errors)
        await asyncio.to_thread(_publish, partial, target)
        await asyncio.to_thread(log.unlink)
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    """Remove what a killed conversion left. The caller holds the lock, so nobody works on it."""
    for partial in target.parent.glob(f"{_partial_prefix(target)}*"):
        shutil.rmtree(partial, ignore_errors=True)


def _partial_prefix(target: Path) -> str:
    return f".{target.name}-"


def _publish(partial: Path, target: Path) -> None:
    """Rename, after all content is on disk: a power cut cannot leave a finished name with unfinished content."""
    for path in (*partial.iterdir(), partial):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    partial.rename(target)


@contextlib.asynccontextmanager
async def _exclusive(cache_dir: Path, name: str) -> AsyncIterator[None]:
    """Hold the lock file of one result. It is the kernel's lock, so a killed holder never blocks anybody."""
    descriptor = _open_lock(cache_dir, name)
    try:
        while not _try_lock(descriptor):  # noqa: ASYNC110 - a thread blocked in flock could not be cancelled
            await asyncio.sleep(_LOCK_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _open_lock(cache_dir: Path, name: str) -> int:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        return os.open(cache_dir / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError("The conversion cache cannot be written; set server.cache_dir.") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "none"
