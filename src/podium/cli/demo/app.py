"""The group ``podium demo``."""

from __future__ import annotations

import typer

from podium.cli.demo.canary import canary

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Watch what Podium does, on this machine, with nothing to prepare.\n\n\b\nExamples:\n  podium demo canary",
)


@app.callback()
def _group() -> None:
    """A group, although it has one command yet."""


app.command("canary", short_help="See a bad version be noticed and leave, while no user notices.")(canary)
