"""A rendered compose file without Docker: its commands, users, files and volumes, as ordinary processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.pod import surroundings
from support.source import ROOT

_PROGRAMS = {"prometheus": ["prometheus"], "alertmanager": ["prometheus-alertmanager"], "redis": []}
"""What the images of others start; Podium's own is ``podium``."""
_FOLDER_PARTS = 3  # "/etc/NAME": what lies below is one read-only folder


def run_stack(
    document: Mapping[str, Any], folder: Path, *, services: list[str], model: str, stop: list[str]
) -> dict[str, Any]:
    """Run ``services`` of the compose file in ``folder`` in a network of their own; returns what was seen."""
    given = {name: _service(folder, document, name, services) for name in services}
    config = given["gateway"]["config"]
    plan = {"services": given, "config": config, "model": model, "stop": stop}
    (folder / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "support.stack_alone", str(folder / "plan.json")],  # noqa: S607
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _service(folder: Path, document: Mapping[str, Any], name: str, names: list[str]) -> dict[str, Any]:
    service = document["services"][name]
    root = folder / "roots" / name
    root.mkdir(parents=True)
    own = _PROGRAMS.get(name, [sys.executable, "-m", "podium"])
    words = service["command"]
    user, group = map(int, service["user"].split(":"))
    return {
        "root": str(root),
        "own": own,
        "program": [*own, *words],
        "environment": {**service.get("environment", {}), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
        "user": user,
        "group": group,
        "hosts": names,
        "mounts": [*_files(folder, document, service), *_volumes(service)],
        "health": [sys.executable if word == "python" else word for word in service["healthcheck"]["test"][1:]],
        "config": words[-1],
        **surroundings(),
    }


def _files(folder: Path, document: Mapping[str, Any], service: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Configurations and secrets, gathered by folder."""
    found: dict[str, dict[str, str]] = {}
    for kind in ("configs", "secrets"):
        for each in service.get(kind, ()):
            parts = Path(each["target"]).parts
            place, name = str(Path(*parts[:_FOLDER_PARTS])), str(Path(*parts[_FOLDER_PARTS:]))
            text = (folder / document[kind][each["source"]]["file"]).read_text()
            found.setdefault(place, {})[name] = text
    return [{"path": place, "files": files, "writable": False, "mode": 0o444} for place, files in found.items()]


def _volumes(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"path": mount["target"], "files": {}, "writable": not mount.get("read_only"), "mode": None}
        for mount in service["volumes"]
    ]
