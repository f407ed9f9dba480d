"""``podium up``: everything for one machine, with one command."""

from __future__ import annotations

import json
import threading

import typer

from podium.cli import output
from podium.cli.connection import Connection, address
from podium.cli.options import ConfigOption, SetOption, models_from, settings_from
from podium.cli.serve import AdminPortOption, HostOption, ModelOption, PortOption, start
from podium.config.settings import Settings


def up(
    *,
    model: ModelOption = None,
    host: HostOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Serve the configured models, or the built-in demo model, and say what to do next.

    \b
    Examples:
      podium up
      podium up --port 9000
      podium up --model ./my-gpt2
    """
    settings = settings_from(
        config,
        assignments,
        models=models_from(model),
        server__host=host,
        server__port=port,
        server__admin_port=admin_port,
    ).settings
    stopped = threading.Event()
    announcer = threading.Thread(target=_announce, args=(settings, stopped), name="announcer", daemon=True)
    announcer.start()
    try:
        status = start(settings)
    finally:
        stopped.set()
    raise typer.Exit(status)


def _announce(settings: Settings, stopped: threading.Event) -> None:
    """Print the three lines once the server is ready; nothing when it never gets there."""
    server = settings.server
    if not server.port or not server.admin_port:
        return  # the addresses are in the log
    base, admin = address(server.host, server.port), address(server.admin_host, server.admin_port)
    with Connection(admin) as probes:
        while not probes.answers("/readyz"):
            if stopped.wait(0.1):
                return
    for words in _next_steps(base, admin, settings.models[0].name if settings.models else ""):
        output.note(words)


def _next_steps(base: str, admin: str, model: str) -> list[str]:
    body = json.dumps({"model": model, "prompt": "The configuration file", "max_tokens": 32, "temperature": 0.3})
    return [
        "",
        f"  try it   curl {base}/v1/completions -H 'content-type: application/json' -d '{body}'",
        f"  look     {base}/docs   {admin}/metrics",
        "  stop     Ctrl-C",
        "",
    ]
