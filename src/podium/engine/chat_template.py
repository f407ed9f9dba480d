"""Rendering a checkpoint's chat template: sandboxed, bounded in time and size.

The template comes from the model folder, never from a request. It is still code, so it runs in
jinja2's immutable sandbox and is stopped at ``RENDER_SECONDS`` and ``RENDER_CHARACTERS``.
The names a template may use follow the Hugging Face convention: ``messages``, ``tools``,
``add_generation_prompt``, the special tokens, ``raise_exception`` and ``strftime_now``.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox

from podium.core.errors import InvalidRequest
from podium.core.generation import ChatPrompt, Message

RENDER_SECONDS = 1.0
RENDER_CHARACTERS = 1024 * 1024


_BREAKS = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a template raises that did not expect such messages: no ``content``, text where it wants a list, ..."""


class _TemplateRefused(Exception):
    """The template itself refused the conversation, through ``raise_exception``."""


class _OutOfTime(Exception):
    """Raised inside the rendering thread when its time is up."""


class ChatTemplate:
    """A compiled chat template. Rendering is thread-safe."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols], autoescape=False
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        self._template = environment.from_string(source)
        self._special_tokens = dict(special_tokens)

    def render(self, prompt: ChatPrompt) -> str:
        """The prompt's text. Raises ``InvalidRequest`` when the template refuses or takes too long."""
        pieces: list[str] = []
        size = 0
        try:
            with _stopped_after(RENDER_SECONDS):
                for piece in self._pieces(prompt):
                    size += len(piece)
                    if size > RENDER_CHARACTERS:
                        raise InvalidRequest("The rendered conversation is larger than 1 MiB.", param="messages")
                    pieces.append(piece)
        except _TemplateRefused as error:
            raise InvalidRequest(f"The model's chat template refused: {error}", param="messages") from error
        except _OutOfTime as error:
            raise InvalidRequest("The model's chat template took longer than 1 s.", param="messages") from error
        except _BREAKS as error:
            raise InvalidRequest("The model's chat template cannot render these messages.", param="messages") from error
        return "".join(pieces)

    def _pieces(self, prompt: ChatPrompt) -> Iterator[str]:
        return self._template.generate(
            messages=[_message_members(message) for message in prompt.messages],
            tools=list(prompt.tools) or None,
            add_generation_prompt=prompt.add_generation_prompt,
            **self._special_tokens,
        )


def _message_members(message: Message) -> dict[str, Any]:
    members: dict[str, Any] = {"role": message.role, "content": message.content, **message.extra}
    if message.name is not None:
        members["name"] = message.name
    return members


def _raise_exception(text: str) -> None:
    raise _TemplateRefused(str(text)[:200])


def _strftime_now(pattern: str) -> str:
    return dt.datetime.now(tz=dt.UTC).strftime(pattern)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:  # noqa: FBT001, FBT002 - the filter's own signature
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


@contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    """Raise ``_OutOfTime`` in this thread if the body runs longer; works for any Python loop."""
    thread = threading.get_ident()
    finished = threading.Event()

    def interrupt() -> None:
        if not finished.is_set():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_OutOfTime))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        finished.set()
        timer.cancel()
