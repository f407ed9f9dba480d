"""Checks an OpenVINO IR: a graph in XML beside its weights in one file."""

from __future__ import annotations

import re
from pathlib import Path

from podium.core.errors import CheckpointInvalid

GRAPH = "openvino_model.xml"
WEIGHTS = "openvino_model.bin"
FILES = (GRAPH, WEIGHTS)

_MAX_GRAPH_BYTES = 256 * 1024**2
_CONSTANT = re.compile(rb'<data\b[^>]*?\boffset="(\d{1,18})"[^>]*?\bsize="(\d{1,18})"')


def check(folder: Path) -> int:
    """Size of the weights in bytes. Raises ``CheckpointInvalid`` when either file is cut off or missing."""
    graph, weights = folder / GRAPH, folder / WEIGHTS
    if not weights.is_file():
        raise CheckpointInvalid(f"{WEIGHTS} is missing beside {GRAPH}; copy both files of the IR.")
    if graph.stat().st_size > _MAX_GRAPH_BYTES:
        raise CheckpointInvalid(f"{GRAPH} is larger than any real graph; convert the model again.")
    text = graph.read_bytes()
    if b"<net" not in text[:4096] or not text.rstrip().endswith(b"</net>"):
        raise CheckpointInvalid(f"{GRAPH} is damaged: it is not a whole IR graph; convert the model again.")
    needed = max((int(offset) + int(size) for offset, size in _CONSTANT.findall(text)), default=0)
    held = weights.stat().st_size
    if held < needed:
        raise CheckpointInvalid(f"{WEIGHTS} is damaged: it ends before its last tensor; convert the model again.")
    return held
