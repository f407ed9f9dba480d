"""``podium up``: everything for one machine, with one command."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from typing import Annotated

import typer

from podium.aio.parent import stop_when_stdin_closes
from podium.cli import output
from podium.cli.connection import Connection, address
from podium.cli.options import ConfigOption, SetOption, models_from, settings_from
from podium.cli.serve import ModelOption, start
from podium.config.gateway import split_address
from podium.config.settings import Settings
from podium.config.sources import read_environment

HostOption = Annotated[str | None, typer.Option("--host", help="Address of the gateway; without one, of the server.")]
PortOption = Annotated[int | None, typer.Option("--port", help="Port of the gateway; 0 takes a free one.")]
AdminPortOption = Annotated[
    int | None,
    typer.Option("--admin-port", help="Port of the control routes; without a gateway, of probes and metrics."),
]
GatewayOption = Annotated[
    bool,
    typer.Option("--gateway/--no-gateway", help="Whether a gateway stands in front, or one server answers itself."),
]


def up(
    *,
    model: ModelOption = None,
    host: HostOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    gateway: GatewayOption = True,
    config: ConfigOption = None,
    assignments: SetOption = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve the configured models, or the built-in demo model, behind a gateway, and say what to do next.

    \b
    Examples:
      podium up
      podium up --port 9000
      podium up --model ./my-gpt2
      podium up --no-gateway
    """
    if until_stdin_closes:
        stop_when_stdin_closes()
    models = models_from(model)
    if gateway:
        settings = settings_from(config, assignments, models=models).settings
        raise typer.Exit(_run_stack(_at(settings, host, port, admin_port)))
    settings = settings_from(
        config,
        assignments,
        models=models,
        server__host=host,
        server__port=port,
        server__admin_port=admin_port,
    ).settings
    raise typer.Exit(_run_server(settings))


def _at(settings: Settings, host: str | None, port: int | None, admin_port: int | None) -> Settings:
    """The settings with the gateway where the flags say."""
    given = settings.gateway
    listen_host, listen_port = split_address(given.listen)
    control_host, control_port = split_address(given.control)
    changed = {
        "listen": _joined(listen_host if host is None else host, listen_port if port is None else port),
        "control": _joined(control_host, control_port if admin_port is None else admin_port),
    }
    checked = type(given).model_validate({**given.model_dump(), **changed})
    return settings.model_copy(update={"gateway": checked})


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _run_stack(settings: Settings) -> int:
    from podium.supervisor.stack import Stack  # noqa: PLC0415 - keeps `podium --help` fast
    from podium.telemetry import logs  # noqa: PLC0415 - same

    style = settings.logs.format
    if style == "auto":  # the processes write to a pipe, and what they write is shown on this terminal
        style = "human" if sys.stderr.isatty() else "json"
        settings = settings.model_copy(update={"logs": settings.logs.model_copy(update={"format": style})})
    written_to = logs.configure(style=style, level=settings.logs.level)
    stack = Stack(settings, read_environment(), written_to=written_to)
    models = settings.models_of(settings.gateway.stable_name)
    name = models[0].name if models else ""
    steps = next_steps(stack.addresses.gateway, f"{stack.addresses.control}/", name)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stack.run(stop, lambda: _say(steps))

    asyncio.run(main())
    return 0


def _run_server(settings: Settings) -> int:
    stopped = threading.Event()
    announcer = threading.Thread(target=_announce, args=(settings, stopped), name="announcer", daemon=True)
    announcer.start()
    try:
        return start(settings)
    finally:
        stopped.set()


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
    _say(next_steps(base, f"{admin}/metrics", settings.models[0].name if settings.models else ""))


def _say(lines: list[str]) -> None:
    for words in lines:
        output.note(words)


def next_steps(base: str, look: str, model: str) -> list[str]:
    """What a person can do next: ask ``model`` at ``base``, look there and at ``look``, and stop."""
    body = json.dumps({"model": model, "prompt": "The configuration file", "max_tokens": 32, "temperature": 0.3})
    return [
        "",
        f"  try it   curl {base}/v1/completions -H 'content-type: application/json' -d '{body}'",
        f"  look     {base}/docs   {look}",
        "  stop     Ctrl-C",
        "",
    ]
