"""Row ``dashboard``: how fast the page is there, how much it fetches, and what it keeps when it stays open."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.access.borrowed import tests_module
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import ServerProcess, free_port

ROW = "dashboard"
DAY_UPDATES = 86_400
OPEN_SECONDS, QUICK_SECONDS = 600.0, 15.0
WARM_UPDATES = 120
DATA = "/monitoring/dashboard"
HASTE = """
const later = window.setTimeout;
window.setTimeout = (work, delay, ...rest) => later(work, delay / 50, ...rest);
const ask = window.fetch;
window.updates = 0;
window.fetch = (...words) => {
  window.updates += String(words[0]).includes("/monitoring/dashboard");
  return ask(...words);
};
"""
"""Before the page's own script: time between updates is a fiftieth, and updates are counted."""


def measure(around: Surroundings) -> None:
    """A real Chromium. Paint and bytes as the page is; then with hurried timers, for the memory of many updates."""
    seconds = QUICK_SECONDS if around.quick else OPEN_SECONDS
    before = around.quiet()
    chromium = tests_module("support/browser")
    with _stack(around) as control:
        with tempfile.TemporaryDirectory() as profile, chromium.browser(Path(profile)) as page:
            page.open(control + "/")
            page.wait_for("figures", "document.querySelectorAll('svg').length > 4")
            page.wait_for("data", f"performance.getEntriesByType('resource').some(e => e.name.includes('{DATA}'))")
            first = _first(page)
        with tempfile.TemporaryDirectory() as profile, chromium.browser(Path(profile)) as page:
            kept = _kept(page, control, seconds)
    around.record(ROW, values={**first, **kept, "seconds": seconds}, before=before)


def _first(page: Any) -> dict[str, float]:
    paints = json.loads(
        page.run("JSON.stringify(performance.getEntriesByType('paint').map(e => [e.name, e.startTime]))")
    )
    sizes = json.loads(
        page.run(
            "JSON.stringify(['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
            ".map(e => [e.name, e.decodedBodySize]))"
        )
    )
    asked = [size for name, size in sizes if "/monitoring/" in name or "/control/" in name]
    files = [size for name, size in sizes if "/monitoring/" not in name and "/control/" not in name]
    return {
        "first_paint_ms": dict(paints)["first-contentful-paint"],
        "page_bytes": sum(files),
        "largest_answer_bytes": max(asked, default=0),
    }


def _kept(page: Any, control: str, seconds: float) -> dict[str, float]:
    page.open("about:blank")
    page.command("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
    page.command("Page.navigate", url=control + "/")
    page.wait_for("updates", f"window.updates > {WARM_UPDATES}", seconds=120.0)
    start, updates = _heap(page), page.run("window.updates")
    time.sleep(seconds)
    return {
        "updates": page.run("window.updates") - updates,
        "heap_start_bytes": start,
        "heap_end_bytes": _heap(page),
    }


def _heap(page: Any) -> int:
    """Bytes of script objects that are in use, after a collection."""
    page.command("HeapProfiler.collectGarbage")
    return int(page.command("Runtime.getHeapUsage")["usedSize"])


class _stack:  # noqa: N801 - used like a function
    """``podium up`` with an echo model; entering gives the address of its control port."""

    def __init__(self, around: Surroundings) -> None:
        self._control = free_port()
        folder = around.work / ROW
        folder.mkdir(parents=True, exist_ok=True)
        engine = {"kind": "echo", "token_interval_seconds": 0.01}
        settings = {
            "models": [{"name": "echo", "source": "none", "engine": engine}],
            "gateway": {
                "listen": f"127.0.0.1:{free_port()}",
                "control": f"127.0.0.1:{self._control}",
                "environments": {"blue": {"replicas": 1}},
            },
        }
        config = folder / "podium.yaml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        command = [around.python, "-m", "podium", "up", "--config", str(config)]
        self._process = ServerProcess(
            command, around.environment, folder / "log.txt", (self._control, "/readyz"), folder
        )

    def __enter__(self) -> str:
        self._process.__enter__()
        return f"http://127.0.0.1:{self._control}"

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)
