"""``podium monitor``: the monitor's rules for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.deploy.prometheus.files import monitoring_files, write

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Take the monitor's rules to Prometheus, Alertmanager and Grafana.\n\n"
    "\b\nExamples:\n"
    "  podium monitor export --out monitoring\n",
)


@app.callback()
def _group() -> None:
    """A group, also while it has one command."""


@app.command(short_help="Write rules, their tests, and a dashboard.")
def export(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; made if it is not there.", metavar="DIR")],
    runbooks: Annotated[
        str | None,
        typer.Option(
            "--runbooks", help="Page with a heading for each alert, to which alerts link. Default: deploy.runbooks."
        ),
    ] = None,
    prometheus_key_file: Annotated[
        str | None,
        typer.Option(
            "--prometheus-key-file",
            help="Path, on Prometheus's machine, of a key with the role metrics.",
            metavar="FILE",
        ),
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the alerts of the embedded monitor for Prometheus, with unit tests of their own, and what goes with them.

    Thresholds are those of the group `monitor`. What an earlier export wrote into DIR is replaced.

    \b
    Examples:
      podium monitor export --out monitoring
      podium monitor export --out monitoring --set monitor.max_p95_seconds=2.5
      promtool test rules monitoring/rules/podium.test.yml
    """
    settings = settings_from(config, assignments).settings
    texts = monitoring_files(settings, runbooks=runbooks, key_file=prometheus_key_file)
    write(texts, out)
    if as_json:
        output.document({"folder": str(out), "files": list(texts)})
        return
    for name in texts:
        output.line(str(out / name))
