"""``podium run``: one prompt, one answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from podium.cli import output
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
from podium.cli.private_server import PrivateServer
from podium.cli.serving_address import listening_address
from podium.config.models import Model
from podium.config.nearest import nearest_word
from podium.config.settings import Settings
from podium.protocols.openai_answers import ModelList


@dataclass
class Answer:
    """What the server said, put together from its events."""

    model: str = ""
    text: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)


def run(
    prompt: Annotated[str, typer.Argument(help="The text to continue; - reads standard input.")],
    *,
    url: UrlOption = None,
    model: Annotated[str | None, typer.Option("--model", help="Served name; or a folder or hub id.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Send the prompt as a chat message.")] = False,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Most tokens to generate.", min=1)] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 is greedy.", min=0.0)] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Nucleus sampling.", min=0.0, max=1.0)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    stop: Annotated[list[str] | None, typer.Option("--stop", help="Ends the answer. May repeat.")] = None,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Print as it is made, or at the end.")] = True,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a model's answer to one prompt.

    Asks the server at --url or at the configured address. When nothing listens there, a private server is
    started for this one answer and stopped again.

    \b
    Examples:
      podium run "The configuration file"
      podium run "What is a port?" --chat --max-tokens 64
      podium run "Once upon a time" --model ./my-gpt2 --temperature 0
      echo "The server" | podium run - --url http://127.0.0.1:8000 --json
    """
    sampling = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "stop": stop or None,
    }
    body = _body(sys.stdin.read() if prompt == "-" else prompt, chat=chat, sampling=sampling)
    with _server(url, model, config, assignments, key_from(key_file)) as (address_, served, key):
        answer = _ask(address_, {**body, "model": served}, key=key, chat=chat, live=stream and not as_json)
    if as_json:
        output.document(answer)
    else:
        output.line("" if stream else answer.text)


def _body(prompt: str, *, chat: bool, sampling: dict[str, Any]) -> dict[str, Any]:
    text = {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
    given = {name: value for name, value in sampling.items() if value is not None}
    return {**text, **given, "stream": True, "stream_options": {"include_usage": True}}


@contextlib.contextmanager
def _server(
    url: str | None, model: str | None, config: Path | None, assignments: list[str] | None, key: str | None
) -> Iterator[tuple[str, str, str | None]]:
    """The address of a server, the name of the model to ask there, and the key to show; a private one needs none."""
    if url is not None:
        yield url, model or _first_served(url, key), key
        return
    settings = settings_from(config, assignments).settings
    configured = listening_address(settings)
    if configured is not None:
        yield configured, model or _first_served(configured, key), key
        return
    wanted = _wanted(settings, model)
    with PrivateServer(wanted, config) as private:
        with output.stages() as stage:
            private.wait_until_ready(stage)
        yield private.url, wanted.name, None


def _first_served(url: str, key: str | None) -> str:
    with Connection(url, key=key) as server:
        models = server.get("/v1/models", ModelList).data
    if not models:
        raise Failure(f"{url} serves no model; load one with `podium models load NAME`", ExitCode.NOT_READY)
    return models[0].id


def _wanted(settings: Settings, name: str | None) -> Model:
    """The configured model that ``name`` means, the first one for None, or a model that is not configured."""
    if name is None:
        if not settings.models:
            raise Failure("no model is configured; name one with --model", ExitCode.USAGE)
        return settings.models[0]
    known = {alias: model for model in settings.models for alias in (*model.aliases, model.name)}
    if name in known:
        return known[name]
    try:
        return Model.model_validate(model_from(name))
    except Failure as error:
        meant = nearest_word(name, known)
        hint = f"did you mean {meant}?" if meant else f"configured: {', '.join(known) or 'none'}"
        raise Failure(
            f"--model {name}: neither a configured model nor a folder or hub id; {hint}", error.code
        ) from None


def _ask(url: str, body: dict[str, Any], *, key: str | None, chat: bool, live: bool) -> Answer:
    answer = Answer()
    with Connection(url, key=key) as server:
        for event in server.events("/v1/chat/completions" if chat else "/v1/completions", body):
            piece = _take(answer, event, chat=chat)
            if live:
                output.text(piece)
    if answer.finish_reason is None:
        raise Failure("the answer ended without a finish reason; what was printed is incomplete")
    return answer


def _take(answer: Answer, event: dict[str, Any], *, chat: bool) -> str:
    """Add one event to the answer and return its new text."""
    answer.model = event.get("model", answer.model)
    answer.usage = event.get("usage") or answer.usage
    piece = ""
    for choice in event.get("choices", []):
        piece += (choice["delta"].get("content") if chat else choice.get("text")) or ""
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
    answer.text += piece
    return piece
