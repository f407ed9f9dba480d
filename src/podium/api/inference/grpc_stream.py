"""``ModelStreamInfer``: inferences whose answers come in pieces, as Triton's decoupled models give them.

A prompt to a model that generates is answered piece by piece; every other inference by one answer. Inferences of one
stream run at the same time, so their answers mix; a client tells them apart by their ``id``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from podium.api.answering import first_error
from podium.api.in_process import LocalAnswer, Piece
from podium.api.inference.asked import parameters_of
from podium.api.inference.grpc_messages import MESSAGES
from podium.api.inference.grpc_translate import infer_body, infer_message, model_path, parameters_in
from podium.core.errors import ClientDisconnected, PodiumError
from podium.core.tensors import Tensor, texts_of_raw

MOST_AT_ONCE = 64
_OK = 200
_WANTS_END = "triton_enable_empty_final_response"
_END = "triton_final_response"
_ANNOUNCE = b"data: "

Ask = Callable[[str, bytes, bytes | None, Piece | None], Awaitable[LocalAnswer]]
"""Path, JSON, the raw tensors after it (None: the route takes none), and who takes the pieces of a good answer."""
Write = Callable[[Any], Awaitable[None]]


async def answer_stream(messages: AsyncIterator[Any], ask: Ask, write: Write) -> None:
    """Answer every message. A failure is an answer with its words, and the stream goes on.

    Returns when the caller has sent its last message and all are answered. Cancelling aborts those that run, and so
    does ``write`` when it raises ``ClientDisconnected``, which is raised then.
    """
    room = asyncio.Semaphore(MOST_AT_ONCE)
    writing = asyncio.Lock()
    gone: list[ClientDisconnected] = []

    async def tell(message: Any) -> None:
        async with writing:
            if gone:
                raise gone[0]
            try:
                await write(message)
            except ClientDisconnected as error:
                gone.append(error)
                raise

    async def answer(message: Any) -> None:
        try:
            await _answer(message, ask, tell)
        finally:
            room.release()
        if gone:  # the route that was asked has ended as for any client that is gone
            raise gone[0]

    with first_error():
        async with asyncio.TaskGroup() as group:
            number = 0
            async for message in messages:
                await room.acquire()
                group.create_task(answer(message), name=f"stream-infer-{number}")
                number += 1


async def _answer(message: Any, ask: Ask, tell: Write) -> None:
    wants_end = _WANTS_END in message.parameters and message.parameters[_WANTS_END].bool_param
    message.parameters.pop(_WANTS_END, None)
    try:
        prompt = _prompt(message)
        if prompt is None:
            await _whole(message, ask, tell)
        else:
            await _Pieces(message, tell, wants_end=wants_end).answer(prompt, ask)
    except ClientDisconnected:
        raise
    except PodiumError as error:
        await tell(_failed(message, error.message))


def _prompt(message: Any) -> str | None:
    """The text, where it is the one text of a tensor ``text_input``, and so may be answered in pieces."""
    if [one.name for one in message.inputs] != ["text_input"] or list(message.inputs[0].shape) != [1]:
        return None
    body, raw = infer_body(message)
    texts = texts_of_raw(raw, "inputs.0") if raw else msgspec.json.decode(body)["inputs"][0].get("data", [])
    return texts[0] if len(texts) == 1 and message.inputs[0].datatype == "BYTES" else None


async def _whole(message: Any, ask: Ask, tell: Write) -> None:
    head, raw = infer_body(message)
    answer = await ask(f"{model_path(message.model_name, message.model_version)}/infer", head, raw, None)
    if answer.status != _OK:
        await tell(_failed(message, answer.error()))
        return
    found = infer_message(answer)
    found.parameters[_END].bool_param = True
    await tell(MESSAGES["ModelStreamInferResponse"](infer_response=found))


def _failed(message: Any, words: str) -> Any:
    return MESSAGES["ModelStreamInferResponse"](
        error_message=words, infer_response=MESSAGES["ModelInferResponse"](id=message.id)
    )


class _Pieces:
    """The pieces of one generated text, read from the events of the same process's route."""

    def __init__(self, message: Any, tell: Write, *, wants_end: bool) -> None:
        self._message = message
        self._tell = tell
        self._wants_end = wants_end

    async def answer(self, prompt: str, ask: Ask) -> None:
        """All pieces, then the end, or what went wrong."""
        given = parameters_of(parameters_in(self._message.parameters))
        body = msgspec.json.encode({**given, "text_input": prompt})
        path = f"{model_path(self._message.model_name, self._message.model_version)}/generate_stream"
        answer = await ask(path, body, None, self._take)
        if answer.status != _OK:
            await self._tell(_failed(self._message, answer.error()))

    async def _take(self, frame: bytes) -> None:
        for line in frame.split(b"\n\n"):
            if line:
                await self._told(msgspec.json.decode(line.removeprefix(_ANNOUNCE)))

    async def _told(self, event: dict[str, Any]) -> None:
        if "error" in event:
            await self._tell(_failed(self._message, event["error"]))
            return
        found = MESSAGES["ModelInferResponse"](
            model_name=event["model_name"], model_version=event["model_version"], id=self._message.id
        )
        if text := event["text_output"]:
            tensor = Tensor("text_output", "BYTES", (1,), [text])
            found.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            found.raw_output_contents.append(tensor.raw())
        elif not self._wants_end:
            return
        found.parameters[_END].bool_param = not text
        await self._tell(MESSAGES["ModelStreamInferResponse"](infer_response=found))
