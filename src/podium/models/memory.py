"""Memory as the operating system counts it."""

from __future__ import annotations

import contextlib

import psutil


def process_tree_bytes() -> int:
    """Resident memory of this process and all its descendants, in bytes."""
    own = psutil.Process()
    total: int = own.memory_info().rss
    for child in own.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return total


def available_bytes() -> int:
    """Memory that can be had without swapping, in bytes."""
    return int(psutil.virtual_memory().available)
