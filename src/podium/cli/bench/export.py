"""``podium bench export``: a run in the shape of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from podium.bench.exports import document, requests_csv
from podium.bench.parquet import requests_parquet
from podium.bench.result import load, load_records
from podium.cli import output
from podium.cli.options import JsonOption

Shape = Literal["llm-d", "vllm", "csv", "parquet"]
_ROWS = {"csv": requests_csv, "parquet": requests_parquet}


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    shape: Annotated[Shape, typer.Option("--as", help="llm-d's report 0.2.1, vLLM's bench, or a row a request.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="New file; DIR/SHAPE.json, DIR/requests.SHAPE.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run in the shape of another tool; nothing that exists is replaced.

    \b
    Examples:
      podium bench export runs/a --as llm-d
      podium bench export runs/a --as csv --out requests.csv
      podium bench export runs/a --as parquet
    """
    result = load(run)
    path = out or run / (f"requests.{shape}" if shape in _ROWS else f"{shape}.json")
    if shape in _ROWS:
        _ROWS[shape](load_records(run), path)
    else:
        document(shape, result, path)
    if as_json:
        output.document({"file": str(path)})
    else:
        output.line(str(path))
