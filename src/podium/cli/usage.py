"""``podium usage``: who used what of a running server."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.running_server import running_server, with_query
from podium.protocols.native_use import UsageAnswer, UsageBy, UsageFigures, UsageGroup

_NAMES: dict[UsageBy, tuple[str, ...]] = {"tenant": ("tenant",), "key": ("tenant", "key"), "model": ("model",)}
_FIGURES = ("requests", "cached", "prompt tokens", "output tokens", "cost")


def usage(
    *,
    since: Annotated[
        str, typer.Option("--since", help="How far back: a number and s, m, h or d.", metavar="TIME")
    ] = "24h",
    by: Annotated[UsageBy, typer.Option("--by", help="One row for each of these.")] = "key",
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who used what: requests, computed tokens and cost. A key with the role admin sees everybody.

    \b
    Examples:
      podium usage
      podium usage --since 7d --by tenant --json
    """
    path = with_query("/usage", {"since": since, "by": by, "tenant": tenant})
    with running_server(url, key_file, config) as server:
        answer = server.get(path, UsageAnswer)
    if as_json:
        output.document(answer)
        return
    names = _NAMES[answer.by]
    rows = [(*_names_of(group, answer.by), *_figures_of(group)) for group in answer.usage]
    total = ("total", *("" for _ in names[1:]), *_figures_of(answer.total))
    output.table((*names, *_FIGURES), [*rows, total])


def _names_of(group: UsageGroup, by: UsageBy) -> tuple[str | None, ...]:
    if by == "key":
        return group.tenant, group.key_id
    return (group.tenant if by == "tenant" else group.model,)


def _figures_of(figures: UsageFigures) -> tuple[object, ...]:
    return (
        figures.requests,
        figures.cached_requests,
        figures.prompt_tokens,
        figures.output_tokens,
        f"{figures.cost:.4f}",
    )
