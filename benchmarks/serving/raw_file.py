"""The raw file: JSON lines, first the circumstances, then one line for each run, written as they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class RawFile:
    """Appends records; every line is on disk before the next run starts.

    ``keep`` adds to a file that is there; otherwise it is begun anew.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, keep: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not keep:
            path.write_text("")
        self.add("header", header)

    def add(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write one record and show the gist of it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **record}, separators=(",", ":"), ensure_ascii=False) + "\n")
        if kind != "header":
            sys.stderr.write(f"{kind} {_gist(record)}\n")


def read_raw(path: Path) -> list[dict[str, Any]]:
    """All records of a raw file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _gist(record: Mapping[str, Any]) -> str:
    shown = ("round", "model", "workload", "peer", "setting", "error")
    parts = [str(record[name]) for name in shown if name in record]
    values = record.get("values", {})
    figures = [f"{name}={value:.4g}" for name, value in values.items() if isinstance(value, float)]
    return " ".join((*parts, *figures[:9]))
