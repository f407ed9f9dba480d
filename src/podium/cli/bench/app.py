"""The group ``podium bench``."""

from __future__ import annotations

import typer

from podium.cli.bench.compare import compare
from podium.cli.bench.export import export
from podium.cli.bench.find_max import find_max
from podium.cli.bench.phases import phases
from podium.cli.bench.report import report
from podium.cli.bench.run import run
from podium.cli.bench.show import show
from podium.cli.bench.sweep import sweep
from podium.cli.bench.trace import trace

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Load tests that say when their figures must not be believed.\n\n"
    "\b\nExamples:\n"
    "  podium bench run --rate 20\n"
    "  podium bench run --concurrency 16 --api chat --url http://127.0.0.1:8000\n"
    "  podium bench show runs/2026-11-27T12-00-00\n"
    '  podium bench find-max --slo "ttft p95 < 500ms"\n'
    "  podium bench compare old.yaml new.yaml --rate 10\n"
    "  podium bench report runs/2026-11-27T12-00-00",
)
app.command("run", short_help="Send a load, and measure it.")(run)
app.command("show", short_help="Print the figures of a run.")(show)
app.command("compare", short_help="Say whether B is worse than A, with proof.")(compare)
app.command("find-max", short_help="Find the highest rate that keeps objectives.")(find_max)
app.command("report", short_help="Write runs as one HTML file.")(report)
app.command("sweep", short_help="Measure server configurations under loads.")(sweep)
app.command("export", short_help="Write a run in the shape of another tool.")(export)
app.command("trace", short_help="Make a trace out of a server's request log.")(trace)
app.command("phases", short_help="Say where the time went, with the server's log.")(phases)
