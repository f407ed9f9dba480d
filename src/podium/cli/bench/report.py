"""``podium bench report``: runs as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.bench.page.page import render
from podium.bench.page.run_view import RunView
from podium.bench.result import RESULT_FILE, load, load_records
from podium.bench.sampling import load_samples
from podium.cli import output
from podium.cli.bench.joined_logs import GatewayLogOption, joined
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or folders that hold them.", metavar="DIR...")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="New file; report.html in the first folder if left out.")
    ] = None,
    price: Annotated[
        float | None, typer.Option("--price", help="Of the machine per hour, for the cost of tokens.", min=0.0)
    ] = None,
    server_log: Annotated[
        Path | None, typer.Option("--server-log", help="Podium's JSON request log, to account for the time.")
    ] = None,
    gateway_log: GatewayLogOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write one HTML file about a run, or about several that belong together.

    It opens from disk: no network, no script. A run that must not be believed is shown with its reasons and without
    figures.

    \b
    Examples:
      podium bench report runs/2026-11-27T12-00-00 --price 1.20
      podium bench report runs/sweep-1 --out sweep.html
      podium bench report runs/a --server-log up.log --gateway-log up.log
    """
    if gateway_log is not None and server_log is None:
        raise Failure(
            "--gateway-log needs --server-log: it tells what happened on the way to that server", ExitCode.USAGE
        )
    folders = [folder for given in runs for folder in _runs_in(given)]
    views = [_view(folder, server_log, gateway_log) for folder in folders]
    target = out or runs[0] / "report.html"
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(render(views, price_per_hour=price))
    except FileExistsError:
        raise Failure(f"{target} is there already; name another file with --out") from None
    except OSError as error:
        raise Failure(f"{target}: {error.strerror}; name a file that can be written with --out") from error
    valid = {str(folder): view.result.valid for folder, view in zip(folders, views, strict=True)}
    if as_json:
        output.document({"report": str(target), "runs": valid})
    else:
        output.line(f"report: {target}")
    return ExitCode.OK if all(valid.values()) else ExitCode.INVALID_RUN


def _runs_in(given: Path) -> list[Path]:
    if (given / RESULT_FILE).exists():
        return [given]
    found = sorted(path.parent for path in given.glob(f"**/{RESULT_FILE}"))
    if not found:
        raise Failure(f"{given}: no run there; a folder with {RESULT_FILE} is needed", ExitCode.USAGE)
    return found


def _view(folder: Path, server_log: Path | None, gateway_log: Path | None) -> RunView:
    result, records = load(folder), load_records(folder)
    phases = None if server_log is None else joined(records, server_log, gateway_log)
    return RunView(result, records, load_samples(folder), phases)
