"""The typed events of a streamed response: items of text and of calls, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from podium.api.errors import openai_answer
from podium.api.openai.responses_translate import call_item, message_item, text_part
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, ToolCallDelta, Usage
from podium.core.ids import new_id
from podium.protocols.responses import ResponseError, ResponseObject, ResponseUsage

_encode = msgspec.json.Encoder().encode


class ResponseEvents:
    """Events of one response; every one has the next ``sequence_number``."""

    def __init__(self, opened: ResponseObject) -> None:
        self._response = opened
        self._number = 0
        self._output: list[dict[str, Any]] = []
        self._item: dict[str, Any] | None = None
        self._text = ""
        self._cut = False

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """What begins the response, with the first chunk; then a delta for each piece."""
        found = []
        if self._number == 0:
            found += [self._whole("response.created"), self._whole("response.in_progress")]
        self._cut = chunk.finish_reason == "length"
        if chunk.text:
            found.append(self._text_piece(chunk.text))
        found += [self._call_piece(piece) for piece in chunk.tool_calls]
        return b"".join(found)

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The end of the last item, and the whole response."""
        if not self._output and self._item is None:
            yield self._begin_text()
        yield self._end_item()
        status = "incomplete" if self._cut else "completed"
        self._response = msgspec.structs.replace(
            self._response,
            status=status,
            incomplete_details={"reason": "max_output_tokens"} if self._cut else None,
            output=self._output,
            usage=ResponseUsage.of(usage),
        )
        yield self._whole(f"response.{status}")

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """``response.failed``, and an ``error`` event. Its member ``error`` is ours: openai-python raises it."""
        body = openai_answer(error).error
        self._response = msgspec.structs.replace(
            self._response, status="failed", error=ResponseError(body.code or "server_error", body.message)
        )
        yield self._whole("response.failed")
        yield self._named("error", code=body.code, message=body.message, param=body.param, error=body)

    def _text_piece(self, text: str) -> bytes:
        begin = b"" if self._is_text else self._end_item() + self._begin_text()
        self._text += text
        place = self._place()
        return begin + self._named("response.output_text.delta", **place, content_index=0, delta=text, logprobs=[])

    @property
    def _is_text(self) -> bool:
        return self._item is not None and self._item["type"] == "message"

    def _begin_text(self) -> bytes:
        added = self._begin(message_item(new_id("msg"), "", status="in_progress"))
        part = self._named("response.content_part.added", **self._place(), content_index=0, part=text_part(""))
        return added + part

    def _call_piece(self, piece: ToolCallDelta) -> bytes:
        begin = b""
        if piece.name is not None:
            item = call_item(new_id("fc"), new_id("call"), piece.name, "", status="in_progress")
            begin = self._end_item() + self._begin(item)
        if not piece.arguments:
            return begin
        self._text += piece.arguments
        return begin + self._named("response.function_call_arguments.delta", **self._place(), delta=piece.arguments)

    def _begin(self, item: dict[str, Any]) -> bytes:
        self._item = item
        self._text = ""
        return self._named("response.output_item.added", output_index=len(self._output), item=item)

    def _end_item(self) -> bytes:
        """The events that end the present item, where there is one."""
        item = self._item
        if item is None:
            return b""
        place = self._place()
        if item["type"] == "message":
            whole = message_item(item["id"], self._text)
            part = text_part(self._text)
            ends = self._named(
                "response.output_text.done", **place, content_index=0, text=self._text, logprobs=[]
            ) + self._named("response.content_part.done", **place, content_index=0, part=part)
        else:
            whole = call_item(item["id"], item["call_id"], item["name"], self._text)
            ends = self._named(
                "response.function_call_arguments.done", **place, name=item["name"], arguments=self._text
            )
        ends += self._named("response.output_item.done", output_index=len(self._output), item=whole)
        self._output.append(whole)
        self._item = None
        return ends

    def _place(self) -> dict[str, Any]:
        assert self._item is not None, "this is a bug: no item is open"  # noqa: S101
        return {"item_id": self._item["id"], "output_index": len(self._output)}

    def _whole(self, kind: str) -> bytes:
        return self._named(kind, response=self._response)

    def _named(self, kind: str, **members: Any) -> bytes:
        payload = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        return b"event: " + kind.encode("ascii") + b"\ndata: " + _encode(payload) + b"\n\n"
