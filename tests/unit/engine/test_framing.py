"""Frames on the worker socket."""

from __future__ import annotations

import pytest

from podium.core.generation import ChatPrompt, Message, SamplingParams, TextPrompt
from podium.engine.framing import FrameDecoder, FrameTooLarge, encode_frame
from podium.engine.messages import Abort, Submit, Tokenize, ToWorker

MESSAGES = [
    Submit(
        id=1, prompt=TextPrompt("hi"), sampling=SamplingParams(logit_bias={5: 1.5}, stop=("x",)), default_max_tokens=3
    ),
    Abort(id=7),
    Tokenize(id=2, prompt=ChatPrompt((Message(role="user", content="é"),))),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_messages_survive_any_cutting_of_the_stream(size: int) -> None:
    stream = b"".join(map(encode_frame, MESSAGES))
    decoder: FrameDecoder[ToWorker] = FrameDecoder(ToWorker)
    received = [
        message for start in range(0, len(stream), size) for message in decoder.feed(stream[start : start + size])
    ]
    assert received == MESSAGES


def test_an_absurd_length_is_an_error_before_anything_is_allocated() -> None:
    decoder: FrameDecoder[ToWorker] = FrameDecoder(ToWorker)
    with pytest.raises(FrameTooLarge):
        decoder.feed(b"\xff\xff\xff\xff")
