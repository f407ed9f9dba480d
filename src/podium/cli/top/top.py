"""The command ``podium top``."""

from __future__ import annotations

import shutil
import time
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from podium.cli import output
from podium.cli.controller_connection import ControllerConnection, controller_at
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.top.picture import picture
from podium.protocols.monitoring import DashboardAnswer, Span

_PERIOD_SECONDS = 1.0
_NOW: Span = "5m"
"""The span whose last step is that of the last seconds."""


def top(
    *,
    span: Annotated[Span, typer.Option("--span", help="How far the lines look back.")] = "5m",
    once: Annotated[
        bool, typer.Option("--once", help="Print it once and end, as when the output is no terminal.")
    ] = False,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a running `podium up`: requests, latencies, engines, servers and alerts, anew each second until Ctrl-C.

    A dash is a figure that is not known. With keys, one of the role `metrics` is enough.

    \b
    Examples:
      podium top
      podium top --once
      podium top --json
      podium top --url http://127.0.0.1:8081 --span 1h
    """
    with controller_at(ControllerConnection, url, key_file, config) as controller:
        if as_json:
            output.document(_ask(controller, span))
        elif once or not output.can_draw():
            output.drawing(picture(*_look(controller, span), controller.url))
        else:
            _watch(controller, span)


def _ask(controller: ControllerConnection, span: Span) -> DashboardAnswer:
    return controller.get(f"/monitoring/dashboard?span={span}", DashboardAnswer)


def _look(controller: ControllerConnection, span: Span) -> tuple[DashboardAnswer, DashboardAnswer]:
    """What there was in ``span``, and what there is now."""
    now = _ask(controller, _NOW)
    return (now if span == _NOW else _ask(controller, span)), now


def _watch(controller: ControllerConnection, span: Span) -> None:
    """Draw over and over. A controller that is away is said above the last figures, and asked again."""
    seen, trouble = _look(controller, span), ""
    with output.screen(whole=True) as screen:
        while True:
            columns = shutil.get_terminal_size().columns
            screen.show(_with(trouble, picture(*seen, controller.url, columns=columns)))
            time.sleep(_PERIOD_SECONDS)
            try:
                seen, trouble = _look(controller, span), ""
            except Failure as failure:
                trouble = failure.message


def _with(trouble: str, drawn: RenderableType) -> RenderableType:
    if not trouble:
        return drawn
    return Group(Text(f"These figures are old: {trouble}", style="bold magenta"), drawn)
