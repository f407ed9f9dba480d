"""``podium deploy compose``: the whole stack as a compose file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.deploy.compose.document import render_compose, write_compose
from podium.deploy.environments import Profile


def compose(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; made if it is not there.", metavar="DIR")],
    profile: Annotated[Profile, typer.Option("--profile", help="What the servers compute on.")] = "cpu",
    swarm: Annotated[bool, typer.Option("--swarm", help="For `docker stack deploy` on a Swarm.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render gateway, environments, Redis, Prometheus, Alertmanager and Grafana for one host or for a Swarm.

    On one host an environment has the servers of `gateway.environments`, in a Swarm those of `deploy.environments`.
    What was rendered into DIR before is replaced; `secrets` and `files` in it are yours, and `podium deploy secrets
    --for compose --out DIR/secrets` makes the former. Exit status 2 when it could not work.

    \b
    Examples:
      podium deploy compose --out stack
      docker compose -f stack/compose.yaml up -d
      podium deploy compose --swarm --out swarm --config podium.yaml
    """
    files = render_compose(settings_from(config, assignments).settings, profile, swarm=swarm)
    write_compose(files, out)
    if as_json:
        output.document({"folder": str(out), "files": list(files)})
        return
    for name in files:
        output.line(str(out / name))
