"""``podium cache``: what the response cache of a running server holds, and emptying it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from podium.cache import calibration
from podium.cli import output
from podium.cli.calibration_pairs import Pair, read_pairs, similarities
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.running_server import running_server, with_query
from podium.protocols.native_use import CacheCleared, CacheFigures, CacheStats

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into the response cache of a running server, empty it (with a key of the role admin), calibrate it.\n\n"
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
    columns = ("model", "answers", "memory", "hit rate", "hits", "similar", "attaches", "misses", "bypasses")
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


@app.command(short_help="Find a threshold for answers to similar questions.")
def calibrate(
    pairs: Annotated[
        Path,
        typer.Argument(help='JSON lines: {"a": "…", "b": "…", "same": true or false}.', metavar="PAIRS"),
    ],
    *,
    model: Annotated[str, typer.Option("--model", help="The embedding model.", metavar="NAME")],
    max_false_hits: Annotated[
        float,
        typer.Option(
            "--max-false-hits",
            help="The largest share of different questions that may be taken for the same.",
            min=1e-6,
            max=0.5,
            metavar="RATIO",
        ),
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option("--confidence", help="How sure to be of it.", min=0.5, max=0.999999, metavar="RATIO")
    ] = 0.95,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the lowest threshold for cache.semantic that keeps false hits below a bound, from labelled pairs.

    The bound is the upper Clopper-Pearson limit of the share of different questions (same: false) that are
    at least as similar as the threshold; thresholds are tested from high to low until one fails, so
    the confidence holds for the chosen one. It holds for questions like those in the file.

    \b
    Examples:
      podium cache calibrate pairs.jsonl --model minilm
      podium cache calibrate pairs.jsonl --model minilm --max-false-hits 0.001 --json
    """
    labelled = read_pairs(pairs)
    _check_enough(labelled, max_false_hits, confidence)
    with running_server(url, key_file, config) as server:
        found = similarities(server, model, labelled)
    by_label = {
        label: [similarity for pair, similarity in zip(labelled, found, strict=True) if pair.same is label]
        for label in (True, False)
    }
    result = calibration.calibrate(
        by_label[True], by_label[False], max_false_hits=max_false_hits, confidence=confidence
    )
    if result is None:
        raise Failure(
            f"no threshold keeps false hits below {max_false_hits:g} with confidence {confidence:g}: too many pairs "
            f"that are labelled different are the same to {model}; use a better model, or a larger bound"
        )
    _show(result, as_json=as_json)


def _check_enough(labelled: list[Pair], max_false_hits: float, confidence: float) -> None:
    different = sum(not pair.same for pair in labelled)
    needed = calibration.fewest_different(max_false_hits, confidence)
    if different < needed:
        raise Failure(
            f"the file has {different} pairs of different questions; to state a bound of {max_false_hits:g} with "
            f"confidence {confidence:g} at least {needed} are needed, even if none of them is a false hit",
            ExitCode.USAGE,
        )


def _show(result: calibration.Calibration, *, as_json: bool) -> None:
    facts = {**asdict(result), "hit_rate": result.hit_rate}
    if as_json:
        output.document(facts)
        return
    rate = "-" if result.hit_rate is None else f"{result.hit_rate:.1%}"
    output.facts(
        {
            "threshold": f"{result.threshold:.3f}",
            "hit rate": f"{rate} ({result.hits} of {result.same} pairs that mean the same)",
            "false hits": f"{result.false_hits} of {result.different} pairs of different questions",
            "bound": f"at most {result.false_hit_bound:.3%} of different questions, confidence {result.confidence:g}",
        }
    )


def _row(model: str, figures: CacheFigures) -> tuple[object, ...]:
    return (
        model,
        figures.keys,
        output.byte_text(figures.memory_bytes),
        f"{figures.hit_rate:.1%}",
        figures.hits,
        figures.semantic_hits,
        figures.attaches,
        figures.misses,
        figures.bypasses,
    )
