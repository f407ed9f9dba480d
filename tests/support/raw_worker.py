"""A worker process driven message by message, with nothing of the API process in between."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psutil

from podium.core.generation import Chunk, SamplingParams, TokensPrompt
from podium.engine.framing import FrameDecoder, encode_frame
from podium.engine.interface import EngineGauges
from podium.engine.messages import Abort, Failed, FromWorker, Heartbeat, Load, Ready, Refused, Shutdown, Step, Submit
from podium.engine.process import WorkerCommand
from support.deadline import until

LOAD_SECONDS = 180.0
ANSWER_SECONDS = 60.0


@dataclass
class Answer:
    """What came back for one request."""

    chunks: list[Chunk] = field(default_factory=list)
    refused: Refused | None = None

    @property
    def tokens(self) -> list[int]:
        """Generated tokens (and echoed ones)."""
        return [token for chunk in self.chunks for token in chunk.token_ids]

    @property
    def text(self) -> str:
        """All text."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def logprobs(self) -> list[Any]:
        """All token log probabilities."""
        return [entry for chunk in self.chunks for entry in chunk.logprobs or ()]

    @property
    def finish_reason(self) -> str | None:
        """Of the last chunk."""
        return self.chunks[-1].finish_reason if self.chunks else None

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return self.refused is not None or self.finish_reason is not None


class RawWorker:
    """Starts on construction and waits until the model is ready. ``end`` it."""

    def __init__(self, model_dir: str, engine: dict[str, Any], *, python: str) -> None:
        ours, theirs = socket.socketpair()
        command = WorkerCommand(name="test", environment={}, python=python)
        with theirs:
            self.process = subprocess.Popen(
                [*command.arguments(), "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket = ours
        self._decoder: FrameDecoder[FromWorker] = FrameDecoder(FromWorker)
        self._pending: list[FromWorker] = []
        self._next = 0
        self.gauges = EngineGauges()
        self.send(Load(model_dir=model_dir, engine=engine, heartbeat_seconds=0.2))
        self.ready = self._wait_ready()

    def send(self, message: msgspec.Struct) -> None:
        """Send one message."""
        self._socket.sendall(encode_frame(message))

    def messages(self, seconds: float) -> Iterator[FromWorker]:
        """Messages as they come, until the worker closes; an ``AssertionError`` after ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            while self._pending:
                yield self._pending.pop(0)
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                raise AssertionError(f"no answer of the worker within {seconds} s") from None
            if not data:
                return
            self._pending += self._decoder.feed(data)

    def submit(self, prompt: list[int], **sampling: Any) -> int:
        """Begin a request; its id."""
        self._next += 1
        prompt_ids = TokensPrompt(token_ids=tuple(prompt))
        self.send(Submit(id=self._next, prompt=prompt_ids, sampling=SamplingParams(**sampling), default_max_tokens=16))
        return self._next

    def abort(self, request_id: int) -> None:
        """Drop a request."""
        self.send(Abort(id=request_id))

    def collect(self, *request_ids: int, until_tokens: int | None = None) -> dict[int, Answer]:
        """Wait until the requests have ended (or have ``until_tokens`` tokens each)."""
        answers: dict[int, Answer] = defaultdict(Answer)
        for message in self.messages(ANSWER_SECONDS):
            self._take(message, answers)
            if all(_enough(answers[request_id], until_tokens) for request_id in request_ids):
                return answers
        return answers

    def generate(self, prompt: list[int], **sampling: Any) -> Answer:
        """One request to its end."""
        request_id = self.submit(prompt, **sampling)
        return self.collect(request_id)[request_id]

    def heartbeat(self, wanted: Any, *, seconds: float) -> Heartbeat:
        """The first heartbeat that satisfies ``wanted``."""
        for message in self.messages(seconds):
            if isinstance(message, Heartbeat) and wanted(message):
                return message
        raise AssertionError("the worker ended")

    def group(self) -> list[psutil.Process]:
        """Living processes of the worker's group, the worker itself left out."""
        return [process for process in _group(self.process.pid) if process.pid != self.process.pid]

    def shut_down(self) -> int:
        """Ask the worker to close its engine and leave; its exit status."""
        self.send(Shutdown())
        return self.process.wait(timeout=ANSWER_SECONDS)

    def end(self) -> None:
        """Kill everything that is left, for a test's clean-up."""
        self._socket.close()
        for process in [*_group(self.process.pid)]:
            process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        until("the group is gone", lambda: not _group(self.process.pid))

    def _wait_ready(self) -> Ready:
        for message in self.messages(LOAD_SECONDS):
            if isinstance(message, Ready):
                return message
            assert not isinstance(message, Failed), message
        self.end()
        raise AssertionError("the worker ended while it loaded")

    def _take(self, message: FromWorker, answers: dict[int, Answer]) -> None:
        if isinstance(message, Step):
            self.gauges = message.gauges
            for request_id, chunk in message.chunks:
                answers[request_id].chunks.append(chunk)
            for refused in message.refused:
                answers[refused.id].refused = refused
        elif isinstance(message, Refused):
            answers[message.id].refused = message


def _enough(answer: Answer, tokens: int | None) -> bool:
    return answer.ended or (tokens is not None and len(answer.tokens) >= tokens)


def _group(leader: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.Error):
            continue  # it ended while we looked
    return found
