"""``podium serve``: one replica in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.aio.parent import stop_when_stdin_closes
from podium.cli.options import ConfigOption, SetOption, models_from, settings_from
from podium.config.settings import Settings
from podium.config.sources import read_environment

ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Folder, hub id or name=FOLDER_OR_ID, instead of the configured models. May repeat.",
        metavar="PATH_OR_ID",
    ),
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address of the traffic port.")]
PortOption = Annotated[int | None, typer.Option("--port", help="Traffic port; 0 takes a free one.")]
AdminPortOption = Annotated[int | None, typer.Option("--admin-port", help="Port of probes and metrics.")]


def serve(
    *,
    model: ModelOption = None,
    engine: Annotated[str | None, typer.Option("--engine", help="Engine of the models given by --model.")] = None,
    host: HostOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve models over HTTP until SIGTERM or Ctrl-C; running requests are finished first.

    \b
    Examples:
      podium serve
      podium serve --model ./my-gpt2
      podium serve --model small=./my-gpt2 --model owner/name --engine transformers
      podium serve --config podium.yaml --port 9000 --set logs.level=debug
    """
    loaded = settings_from(
        config,
        assignments,
        models=models_from(model, engine),
        server__host=host,
        server__port=port,
        server__admin_port=admin_port,
    )
    if until_stdin_closes:
        stop_when_stdin_closes()
    raise typer.Exit(start(loaded.settings))


def start(settings: Settings) -> int:
    """Run the server in this process and return its exit status."""
    from podium.server import server  # noqa: PLC0415 - keeps `podium --help` fast

    return server.run(settings, read_environment())
