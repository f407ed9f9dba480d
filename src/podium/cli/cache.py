"""``podium cache``: what the response cache of a running server holds, and emptying it."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli import output
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.running_server import running_server, with_query
from podium.protocols.native_use import CacheCleared, CacheFigures, CacheStats

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into the response cache of a running server, and empty it. Takes a key with the role admin.\n\n"
    "\b\nExamples:\n  podium cache stats\n  podium cache clear --model gpt2",
)


@app.command(short_help="Show what is kept, and how often it helped.")
def stats(
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the kept answers of each model, their size, and what became of its requests.

    \b
    Examples:
      podium cache stats
      podium cache stats --url http://127.0.0.1:8000 --json
    """
    with running_server(url, key_file, config) as server:
        answer = server.get("/cache/stats", CacheStats)
    if as_json:
        output.document(answer)
        return
    columns = ("model", "answers", "memory", "hit rate", "hits", "attaches", "misses", "bypasses")
    rows = [_row(model, figures) for model, figures in answer.models.items()]
    output.table(columns, [*rows, _row("total", answer)])


@app.command(short_help="Forget kept answers.")
def clear(
    *,
    model: Annotated[str | None, typer.Option("--model", help="Only answers of this model.", metavar="NAME")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only answers to this tenant.")] = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget kept answers on every replica that shares the cache: all of them, or those of a model or a tenant.

    \b
    Examples:
      podium cache clear
      podium cache clear --model gpt2 --json
    """
    with running_server(url, key_file, config) as server:
        answer = server.delete(with_query("/cache", {"model": model, "tenant": tenant}), CacheCleared)
    if as_json:
        output.document(answer)
    else:
        output.line(answer.message)


def _row(model: str, figures: CacheFigures) -> tuple[object, ...]:
    return (
        model,
        figures.keys,
        output.byte_text(figures.memory_bytes),
        f"{figures.hit_rate:.1%}",
        figures.hits,
        figures.attaches,
        figures.misses,
        figures.bypasses,
    )
