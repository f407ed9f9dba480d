"""``podium gateway``: look at the split of a running ``podium up``, and change it."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli import output
from podium.cli.controller_connection import ControllerConnection, controller_at
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.protocols.control import TrafficAnswer

app = typer.Typer(
    no_args_is_help=True,
    help="Look at the split between environments of a running `podium up`, and change it.\n\n"
    "\b\nExamples:\n"
    "  podium gateway status\n"
    "  podium gateway weights blue=90 green=10\n",
)

WeightArguments = Annotated[
    list[str],
    typer.Argument(help="Shares in per cent, together 100; who is left out gets none.", metavar="NAME=SHARE..."),
]


@app.command("status", short_help="Show weights, servers and outcomes.")
def status(
    *, url: UrlOption = None, key_file: KeyFileOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show every environment: its share, its servers and their health, and what became of its attempts.

    \b
    Examples:
      podium gateway status
      podium gateway status --json
    """
    with controller_at(ControllerConnection, url, key_file, config) as controller:
        _show(controller.traffic(), as_json=as_json)


@app.command("weights", short_help="Split traffic anew.")
def weights(
    shares: WeightArguments,
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split traffic by shares in per cent; done when the gateway has confirmed it. Running streams stay where they are.

    \b
    Examples:
      podium gateway weights blue=90 green=10
      podium gateway weights green=100
    """
    wanted = dict(_share(text) for text in shares)
    if len(wanted) != len(shares):
        raise Failure("an environment is named twice; name each one once", ExitCode.USAGE)
    with controller_at(ControllerConnection, url, key_file, config) as controller:
        _show(controller.set_weights(wanted), as_json=as_json)


def _share(text: str) -> tuple[str, float]:
    name, equals, share = text.partition("=")
    try:
        if equals and name:
            return name, float(share)
    except ValueError:
        pass
    raise Failure(f"{text}: NAME=SHARE is needed, such as blue=90", ExitCode.USAGE)


def _show(answer: TrafficAnswer, *, as_json: bool) -> None:
    if as_json:
        output.document(answer)
        return
    rows = [
        (
            name,
            f"{environment.weight:g} %",
            "yes" if name == answer.stable else "",
            ", ".join(f"{endpoint.address} ({_health(endpoint.healthy)})" for endpoint in environment.endpoints),
            environment.first_attempts,
            environment.attempts,
            environment.failed_attempts,
            "unknown" if environment.running is None else environment.running,
        )
        for name, environment in answer.environments.items()
    ]
    columns = ("environment", "weight", "stable", "servers", "requests", "attempts", "failed", "running")
    output.table(columns, rows)
    if not answer.confirmed:
        output.warning("no gateway has confirmed this yet")


def _health(healthy: bool | None) -> str:  # noqa: FBT001 - a value to show, not a switch
    return "unknown" if healthy is None else "healthy" if healthy else "unhealthy"
