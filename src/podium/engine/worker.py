"""The worker process: one loaded model, one engine, one socket to the API process.

Threads: *reader* (socket to intake), a small pool that prepares prompts (template, tokenizer: they
release the GIL), *engine* (the main thread: steps, chunks), *heartbeat*. When the API process goes
away the socket closes, and the worker leaves at once, whatever the engine is doing.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import TypeAdapter

from podium.config.engine import Engine as EngineSettings
from podium.core.errors import PodiumError
from podium.engine.adapters.table import (
    accept_constraint,
    load_adapter,
    load_one_shot_adapter,
    load_text2text_adapter,
)
from podium.engine.batching import Batcher
from podium.engine.framing import BlockingReader, encode_frame
from podium.engine.intake import Intake
from podium.engine.interface import Engine, LoadContext
from podium.engine.messages import (
    Failed,
    FromWorker,
    Heartbeat,
    Load,
    Progress,
    Ready,
    ToWorker,
)
from podium.engine.one_shot import OneShotEngine, OneShotLoad
from podium.engine.preparation import Command, Preparation, read_eos_token_ids
from podium.engine.stepping import Stepper
from podium.engine.text2text import Text2TextPlan
from podium.engine.tokenizer import Tokenizer
from podium.engine.tool_calls.format import configured_format


class Channel:
    """The socket, safe to send on from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send one message; a closed socket is the reader's business, not the sender's."""
        frame = encode_frame(message)
        try:
            with self._lock:
                self._connection.sendall(frame)
        except OSError:
            pass  # the reader sees the same end and leaves


@dataclass(frozen=True)
class _Loaded:
    """A loaded model, and the loop of the engine thread that serves it."""

    engine: Engine | OneShotEngine
    tokenizer: Tokenizer
    preparation: Preparation
    loop: Stepper | Batcher


class Worker:
    """Serves one model until told to stop or until the API process is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._channel = Channel(connection)
        self._reader: BlockingReader[ToWorker] = BlockingReader(connection, ToWorker)
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._intake: Intake | None = None

    def run(self) -> int:
        """Load, report, serve. Returns the process's exit status."""
        first = self._reader.read()
        if first is None or not isinstance(first[0], Load):
            return 1
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        try:
            return self._serve(first[0])
        except PodiumError as error:
            self._channel.send(Failed(code=error.code, message=error.message))
            return 1

    def _serve(self, load: Load) -> int:
        started = time.perf_counter()
        settings: EngineSettings = TypeAdapter(EngineSettings).validate_python(load.engine)
        if load.one_shot is not None:
            loaded = self._load_one_shot(load, settings, load.one_shot)
        elif load.text2text is not None:
            loaded = self._load_text2text(load, settings, load.text2text)
        else:
            loaded = self._load_generation(load, settings)
        self._intake = Intake(loaded.preparation, loaded.tokenizer, self._inbox, self._channel.send)
        seconds = time.perf_counter() - started
        ready = Ready(facts=loaded.engine.facts, tokenizer=loaded.tokenizer.facts(), load_seconds=seconds)
        self._channel.send(ready)
        beat = threading.Thread(
            target=self._beat, args=(loaded.loop, load.heartbeat_seconds), name="heartbeat", daemon=True
        )
        beat.start()
        try:
            loaded.loop.run()
        finally:
            loaded.engine.close()
        return 0

    def _load_generation(self, load: Load, settings: EngineSettings) -> _Loaded:
        adapter = load_adapter(settings.kind)
        folder = Path(load.model_dir)
        tokenizer = adapter.tokenizer(folder, load.chat_template)
        eos_token_ids = read_eos_token_ids(folder, tokenizer)
        engine = adapter.load(folder, settings, self._context(load, eos_token_ids))
        tool_format = configured_format(load.tool_format, tokenizer.chat_template)
        check = adapter.constraint_check(folder)
        preparation = Preparation(tokenizer, engine.facts, eos_token_ids, check, tool_format)
        return _Loaded(engine, tokenizer, preparation, Stepper(engine, tokenizer, self._inbox, self._channel.send))

    def _load_one_shot(self, load: Load, settings: EngineSettings, one_shot: OneShotLoad) -> _Loaded:
        adapter = load_one_shot_adapter(settings.kind)
        folder = Path(load.model_dir)
        tokenizer = adapter.tokenizer(folder, None)
        engine = adapter.load_one_shot(folder, settings, self._context(load, frozenset()), one_shot)
        preparation = Preparation(tokenizer, engine.facts, frozenset(), accept_constraint)
        return _Loaded(
            engine, tokenizer, preparation, Batcher(engine, one_shot.limits, self._inbox, self._channel.send)
        )

    def _load_text2text(self, load: Load, settings: EngineSettings, plan: Text2TextPlan) -> _Loaded:
        adapter = load_text2text_adapter(settings.kind)
        folder = Path(load.model_dir)
        tokenizer = adapter.tokenizer(folder, None)
        tokenizer.chat_template = None  # whatever the checkpoint says: it holds no conversations here
        eos_token_ids = read_eos_token_ids(folder, tokenizer)
        engine = adapter.load_text2text(folder, settings, self._context(load, eos_token_ids), plan)
        preparation = Preparation(tokenizer, engine.facts, eos_token_ids, accept_constraint, prefix=plan.prefix)
        return _Loaded(engine, tokenizer, preparation, Stepper(engine, tokenizer, self._inbox, self._channel.send))

    def _context(self, load: Load, eos_token_ids: frozenset[int]) -> LoadContext:
        return LoadContext(
            report=lambda stage, ratio: self._channel.send(Progress(stage=stage, ratio=ratio)),
            max_model_len=load.max_model_len,
            trust_remote_code=load.trust_remote_code,
            eos_token_ids=eos_token_ids,
        )

    def _read(self) -> None:
        try:
            while (messages := self._reader.read()) is not None:
                for message in messages:
                    if self._intake is not None:  # nothing but an end comes before Ready
                        self._intake.take(message)
        except ConnectionError:
            pass  # the other end was killed with messages of ours unread: that resets instead of closing
        except BaseException:
            traceback.print_exc()  # os._exit below would end it unseen
            raise
        finally:
            os._exit(0)  # the API process is gone: nobody is left to serve, and a step may last long

    def _beat(self, loop: Stepper | Batcher, interval_seconds: float) -> None:
        process = psutil.Process()
        while True:
            self._channel.send(
                Heartbeat(
                    step=loop.steps,
                    busy_seconds=loop.busy_seconds(),
                    unfinished=loop.unfinished,
                    rss_bytes=process.memory_info().rss,
                    gauges=loop.gauges,
                )
            )
            time.sleep(interval_seconds)


def main() -> int:
    """Entry of ``python -m podium.engine.worker --fd N``."""
    parser = argparse.ArgumentParser(prog="podium worker")
    parser.add_argument("--fd", type=int, required=True, help="inherited socket to the API process")
    arguments = parser.parse_args()
    # Ctrl-C in a terminal reaches the whole group; the API process decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=arguments.fd)
    status = Worker(connection).run()
    sys.stderr.flush()
    # Engines leave threads and at-exit hooks behind that can hang; everything is closed by now.
    os._exit(status)


if __name__ == "__main__":
    main()
