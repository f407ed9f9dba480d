"""``podium bench export``: a run in the shape of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from podium.bench import exports
from podium.bench.result import load, load_records
from podium.cli import output
from podium.cli.options import JsonOption

Shape = Literal["llm-d", "vllm", "csv"]


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    shape: Annotated[Shape, typer.Option("--as", help="llm-d's report 0.2.1, vLLM's bench, or a row a request.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="New file; DIR/SHAPE.json (.csv) if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run in the shape of another tool; nothing that exists is replaced.

    \b
    Examples:
      podium bench export runs/a --as llm-d
      podium bench export runs/a --as csv --out requests.csv
    """
    result = load(run)
    path = out or run / (f"{shape}.csv" if shape == "csv" else f"{shape}.json")
    if shape == "csv":
        exports.requests_csv(load_records(run), path)
    else:
        exports.document(shape, result, path)
    if as_json:
        output.document({"file": str(path)})
    else:
        output.line(str(path))
