"""What a worker does with messages from the API process: prepare prompts off the reader thread."""

from __future__ import annotations

import queue
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from podium.core.errors import PodiumError
from podium.core.generation import ChatPrompt
from podium.engine.messages import (
    Abort,
    Compute,
    Detokenize,
    FromWorker,
    InputTokens,
    Refused,
    Shutdown,
    Submit,
    Text,
    Tokenize,
    TokenizeInputs,
    Tokens,
    ToWorker,
)
from podium.engine.preparation import Command, Preparation
from podium.engine.tokenizer import Tokenizer

PREPARATION_THREADS = 2


class Intake:
    """Answers tokenizer calls, prepares submissions, passes commands on to the engine thread."""

    def __init__(
        self,
        preparation: Preparation,
        tokenizer: Tokenizer,
        inbox: queue.SimpleQueue[Command],
        send: Callable[[FromWorker], None],
    ) -> None:
        self._preparation = preparation
        self._tokenizer = tokenizer
        self._inbox = inbox
        self._send = send
        # Compiling a grammar may take a second: those wait for each other, not others for them.
        self._constrained_pool = ThreadPoolExecutor(1, thread_name_prefix="constrained")
        self._pool = ThreadPoolExecutor(PREPARATION_THREADS, thread_name_prefix="prepare")

    def take(self, message: ToWorker) -> None:
        """Handle one message; returns at once, the work goes to a thread."""
        match message:
            case Submit() if _is_constrained(message):
                self._constrained_pool.submit(self._answer, message)
            case Submit() | Tokenize() | Detokenize() | TokenizeInputs():
                self._pool.submit(self._answer, message)
            case Compute() | Abort() | Shutdown():
                self._inbox.put(message)

    def _answer(self, message: Submit | Tokenize | Detokenize | TokenizeInputs) -> None:
        """A request ends with an answer or a refusal, whatever happens."""
        try:
            self._work(message)
        except PodiumError as error:
            self._send(Refused(id=message.id, code=error.code, message=error.message, param=error.param))
        except Exception:  # noqa: BLE001 - boundary: one request in the worker; else it would be lost silently
            traceback.print_exc()
            self._send(Refused(id=message.id, code="engine_error", message="The request could not be prepared."))

    def _work(self, message: Submit | Tokenize | Detokenize | TokenizeInputs) -> None:
        match message:
            case Submit():
                self._inbox.put(self._preparation.prepare(message))
            case Tokenize(id=request_id, prompt=prompt, add_special_tokens=special):
                token_ids = self._preparation.tokenize(prompt, add_special_tokens=special)
                strings = tuple(map(self._tokenizer.token_text, token_ids)) if message.strings else ()
                self._send(Tokens(id=request_id, token_ids=token_ids, strings=strings))
            case TokenizeInputs(id=request_id, inputs=inputs, param=param):
                encoded = self._preparation.tokenize_inputs(inputs, param)
                spans = tuple(one.spans for one in encoded) if message.spans else ()
                self._send(InputTokens(id=request_id, inputs=tuple(one.ids for one in encoded), spans=spans))
            case Detokenize(id=request_id, token_ids=token_ids):
                self._tokenizer.check_ids(token_ids)
                self._send(Text(id=request_id, text=self._tokenizer.decode(token_ids)))


def _is_constrained(message: Submit) -> bool:
    forces_a_call = isinstance(message.prompt, ChatPrompt) and message.prompt.forces_a_call
    return message.sampling.constraint is not None or forces_a_call
