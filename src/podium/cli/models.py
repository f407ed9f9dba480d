"""``podium models``: what a running server serves, and what lies on this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

import typer

from podium.cli import output
from podium.cli.configured_server import connected
from podium.cli.connection import Connection, key_from
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import (
    ConfigOption,
    JsonOption,
    KeyFileOption,
    SetOption,
    UrlOption,
    model_from,
    settings_from,
)
from podium.cli.serving_address import serving_address
from podium.protocols.native import LoadAnswer, ModelsAnswer, UnloadAnswer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List, load and unload the models of a running server; fetch and convert checkpoints.\n\n"
    "\b\nExamples:\n  podium models list\n  podium models load gpt2",
)

Precision = Literal["f32", "f16", "bf16", "int8"]

NameArgument = Annotated[str, typer.Argument(help="Name, alias or name@version.", metavar="NAME")]

_POLL_SECONDS = 0.2


@app.command("list", short_help="List what a running server serves.")
def list_models(
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a running server serves, with state, engine and memory.

    \b
    Examples:
      podium models list
      podium models list --url http://127.0.0.1:8000 --json
    """
    with connected(Connection, url, key_file, config, place=serving_address) as server:
        answer = server.get("/models", ModelsAnswer)
    if as_json:
        output.document(answer)
        return
    columns = ("model", "version", "task", "state", "engine", "memory", "requests", "aliases", "error")
    rows = [
        (
            *(m.name, m.version, m.task, m.state, m.engine),
            *(output.byte_text(m.memory_bytes), m.request_count, m.aliases, m.error),
        )
        for m in answer.models.values()
    ]
    output.table(columns, rows)


@app.command(short_help="Load a model and wait until it is ready.")
def load(
    name: NameArgument,
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load a configured model into a running server and wait until it is ready.

    \b
    Examples:
      podium models load gpt2
      podium models load gpt2@2 --url http://127.0.0.1:8000
    """
    with (
        connected(Connection, url, key_file, config, place=serving_address) as server,
        _watched(server.url, name, key_from(key_file)),
    ):
        answer = server.post(_route(name, "load"), LoadAnswer)
    if as_json:
        output.document(answer)
    else:
        memory = output.byte_text(answer.memory_bytes)
        output.line(f"{answer.model} is ready after {answer.load_seconds:.1f} s, memory {memory}")


@app.command(short_help="Unload a model; its memory comes back.")
def unload(
    name: NameArgument,
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unload a model from a running server, once its running requests are finished.

    \b
    Examples:
      podium models unload gpt2
      podium models unload gpt2 --json
    """
    with connected(Connection, url, key_file, config, place=serving_address) as server:
        answer = server.post(_route(name, "unload"), UnloadAnswer)
    if as_json:
        output.document(answer)
        return
    memory = answer.memory
    loaded, after = output.byte_text(memory.loaded_bytes), output.byte_text(memory.after_bytes)
    before = output.byte_text(memory.before_bytes)
    output.line(f"{answer.model} is unloaded; memory {loaded} -> {after} (before loading: {before})")


@app.command(short_help="Fetch a checkpoint from the hub.")
def pull(
    source: Annotated[str, typer.Argument(help="Hub id, with @REVISION to pin one.", metavar="OWNER/NAME")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Fetch a checkpoint's safetensors, tokenizer and configuration from the hub; print its folder.

    No code and no pickle is fetched. An interrupted download goes on where it stopped.

    \b
    Examples:
      podium models pull openai-community/gpt2
      podium models pull owner/name@main --json
    """
    from podium.models.source import fetch  # noqa: PLC0415 - keeps `podium --help` fast

    model = model_from(source)
    if Path(str(model["source"])).is_dir() or ":" in source:
        raise Failure(f"{source}: a hub id such as owner/name is needed; this one is here already", ExitCode.USAGE)
    folder = fetch(source)
    if as_json:
        output.document({"source": source, "folder": str(folder)})
    else:
        output.line(str(folder))


@app.command(short_help="Convert a checkpoint to OpenVINO IR.")
def convert(
    source: Annotated[str, typer.Argument(help="Folder or hub id of a safetensors checkpoint.", metavar="PATH_OR_ID")],
    *,
    precision: Annotated[Precision, typer.Option("--precision", help="Precision of the weights.")] = "int8",
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a checkpoint to OpenVINO IR ahead of time; print the folder, which `podium serve` finds by content.

    \b
    Examples:
      podium models convert ./my-gpt2
      podium models convert openai-community/gpt2 --precision f16
    """
    from podium.models import conversion  # noqa: PLC0415 - keeps `podium --help` fast
    from podium.models.checkpoint import inspect  # noqa: PLC0415
    from podium.models.source import resolve_source  # noqa: PLC0415

    given = str(model_from(source)["source"])
    cache_dir = Path(settings_from(config, assignments).settings.server.cache_dir).expanduser()
    with output.stages() as stage:
        stage.show(f"reading {source}")
        checkpoint = inspect(resolve_source(given, (Path(given),)), trust_remote_code=False)
        folder = asyncio.run(conversion.convert(checkpoint, precision, cache_dir, stage.show))
    if as_json:
        output.document({"source": source, "precision": precision, "folder": str(folder)})
    else:
        output.line(str(folder))


def _route(name: str, action: str) -> str:
    return f"/models/{quote(name, safe='/@')}/{action}"


@contextmanager
def _watched(url: str, name: str, key: str | None) -> Iterator[None]:
    """Show a load's progress while the request that asked for it is waiting."""
    done = threading.Event()

    def watch(stage: output.Stage) -> None:
        with Connection(url, key=key) as server:
            while not done.wait(_POLL_SECONDS):
                if not server.answers("/models"):
                    continue
                for entry in server.get("/models", ModelsAnswer).models.values():
                    if entry.progress is not None and name in {
                        entry.name,
                        f"{entry.name}@{entry.version}",
                        *entry.aliases,
                    }:
                        stage.show(f"{entry.name}: {entry.progress.stage}", entry.progress.ratio)

    with output.stages() as stage:
        stage.show(f"loading {name}")
        watcher = threading.Thread(target=watch, args=(stage,), name="load-watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
