"""From a submitted request to engine sequences: render, tokenize, check against the context, fan out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from podium.core.errors import ContextLengthExceeded, InvalidRequest
from podium.core.generation import ChatPrompt, Constraint, Prompt, SamplingParams, TextPrompt, TokensPrompt
from podium.core.one_shot import Input, PairPrompt, WindowedPrompt
from podium.engine.chat_template import ChatTemplate
from podium.engine.interface import EngineFacts, EngineSequence
from podium.engine.messages import Abort, Compute, Shutdown, Submit
from podium.engine.tokenizer import Encoded, Tokenizer
from podium.engine.tool_calls.format import ToolFormat
from podium.engine.tool_calls.use import ToolUse, held_to_calls, tool_use, with_known_ids


class Prepared(msgspec.Struct):
    """A request ready for the engine: one sequence for each choice."""

    request_id: int
    sequences: list[EngineSequence]
    prompt_text: str
    tools: ToolUse | None = None


Command = Prepared | Compute | Abort | Shutdown
"""What reaches the engine thread."""


class Preparation:
    """Prepares requests for one loaded model. Thread-safe."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        facts: EngineFacts,
        eos_token_ids: frozenset[int],
        check_constraint: Callable[[Constraint], None],
        tool_format: ToolFormat | None = None,
        *,
        prefix: str = "",
    ) -> None:
        """``prefix`` stands before every prompt that is text."""
        self._tokenizer = tokenizer
        self._facts = facts
        self._eos = eos_token_ids
        self._check_constraint = check_constraint
        self._tool_format = tool_format
        self._prefix = prefix
        self._next_id = itertools.count(1)
        template = tokenizer.chat_template
        self._template = ChatTemplate(template, tokenizer.special_tokens) if template else None

    def prepare(self, submit: Submit) -> Prepared:
        """Raises ``InvalidRequest`` and its kind when the request can never run on this model."""
        if self._facts.text_engine:
            return self._pass_on(submit)
        prompt, sampling = submit.prompt, submit.sampling
        tools = tool_use(prompt, self._tool_format) if isinstance(prompt, ChatPrompt) else None
        token_ids = self.tokenize(prompt)
        if not token_ids:
            raise InvalidRequest("The prompt has no tokens; give at least one.", param="prompt")
        self._tokenizer.check_ids(tuple(sampling.logit_bias) + sampling.stop_token_ids)
        max_tokens = self._max_tokens(len(token_ids), submit)
        if isinstance(prompt, ChatPrompt) and tools is not None:
            sampling = held_to_calls(sampling, prompt, tools, self._facts.unsupported)
        if sampling.constraint is not None:
            self._check_constraint(sampling.constraint)
        sequences = [self._sequence(sampling, choice, token_ids, max_tokens) for choice in range(sampling.n)]
        prompt_text = self._text(prompt) if sampling.echo else ""
        return Prepared(request_id=submit.id, sequences=sequences, prompt_text=prompt_text, tools=tools)

    def tokenize(self, prompt: Prompt, *, add_special_tokens: bool = True) -> tuple[int, ...]:
        """Token ids of a prompt."""
        match prompt:
            case TextPrompt(text):
                return tuple(self._tokenizer.encode(self._prefix + text, add_special_tokens=add_special_tokens))
            case TokensPrompt(token_ids):
                self._tokenizer.check_ids(token_ids)
                return token_ids
            case ChatPrompt():
                # The template writes the special tokens itself.
                return tuple(self._tokenizer.encode(self._render(prompt), add_special_tokens=False))

    def tokenize_inputs(self, inputs: Sequence[Input], param: str) -> list[Encoded]:
        """Each input as tokens, a windowed one as several.

        Raises ``InvalidRequest`` for an empty one, ``ContextLengthExceeded``.
        """
        texts = [given.text for given in inputs if isinstance(given, TextPrompt)]
        encoded = iter(self._tokenizer.encode_texts(texts))
        found: list[Encoded] = []
        for position, given in enumerate(inputs):
            where = f"{param}.{position}"
            match given:
                case TextPrompt():
                    found.append(self._checked(where, given, next(encoded)))
                case PairPrompt(first, second):
                    found.append(self._checked(where, given, self._tokenizer.encode_pair(first, second)))
                case TokensPrompt(token_ids):
                    self._tokenizer.check_ids(token_ids, param=where)
                    found.append(self._checked(where, given, Encoded.of_ids(token_ids)))
                case WindowedPrompt():
                    found += self._tokenizer.encode_windows(given, self._facts.max_model_len)
        return found

    def _checked(self, param: str, given: Input, found: Encoded) -> Encoded:
        length = len(found.ids.token_ids)
        if not length:
            raise InvalidRequest(f"`{param}` has no tokens; give at least one.", param=param)
        if length > self._facts.max_model_len:
            raise ContextLengthExceeded(
                f"`{param}` has {length} tokens{_with_query(given)}; this model's context is "
                f"{self._facts.max_model_len}. Nothing is cut off here: shorten the input, or split it.",
                param=param,
            )
        return found

    def _text(self, prompt: Prompt) -> str:
        match prompt:
            case TextPrompt(text):
                return text
            case TokensPrompt(token_ids):
                return self._tokenizer.decode(token_ids)
            case ChatPrompt():
                return self._render(prompt)

    def _render(self, prompt: ChatPrompt) -> str:
        if self._template is None:
            raise InvalidRequest(
                "This model has no chat template. Use /v1/completions, or set models[].chat_template_file.",
                param="messages",
            )
        tool_use(prompt, self._tool_format)
        known = with_known_ids(prompt.messages, self._tool_format)
        return self._template.render(msgspec.structs.replace(prompt, messages=known))

    def _max_tokens(self, prompt_tokens: int, submit: Submit) -> int:
        context = self._facts.max_model_len
        room = self._facts.output_room(prompt_tokens)
        wanted = submit.sampling.max_tokens
        if wanted is None:
            wanted = max(1, min(room, self._facts.default_output_tokens or submit.default_max_tokens or room))
        if self._facts.max_output_tokens:
            _check_both(self._facts, prompt_tokens, wanted)
        elif wanted > room:
            raise ContextLengthExceeded(
                f"The prompt has {prompt_tokens} tokens and {wanted} are asked for, {prompt_tokens + wanted} together; "
                f"this model's context is {context}. Shorten the prompt or lower max_tokens.",
                param="max_tokens" if room > 0 else "prompt",
            )
        return wanted

    def _sequence(
        self, sampling: SamplingParams, choice: int, token_ids: tuple[int, ...], max_tokens: int
    ) -> EngineSequence:
        stop_ids = frozenset(sampling.stop_token_ids)
        if not sampling.ignore_eos:
            stop_ids |= self._eos
        return EngineSequence(
            id=next(self._next_id),
            token_ids=token_ids,
            sampling=msgspec.structs.replace(sampling, n=1, seed=_choice_seed(sampling, choice), max_tokens=max_tokens),
            stop_token_ids=stop_ids,
            max_tokens=max_tokens,
        )

    def _pass_on(self, submit: Submit) -> Prepared:
        prompt, sampling = submit.prompt, submit.sampling
        token_ids = prompt.token_ids if isinstance(prompt, TokensPrompt) else ()
        sequences = [
            EngineSequence(
                id=next(self._next_id),
                token_ids=token_ids,
                sampling=msgspec.structs.replace(sampling, n=1, seed=_choice_seed(sampling, choice)),
                stop_token_ids=frozenset(sampling.stop_token_ids),
                max_tokens=submit.default_max_tokens if sampling.max_tokens is None else sampling.max_tokens,
                prompt=None if isinstance(prompt, TokensPrompt) else prompt,
            )
            for choice in range(sampling.n)
        ]
        return Prepared(request_id=submit.id, sequences=sequences, prompt_text="")


def _check_both(facts: EngineFacts, prompt_tokens: int, wanted: int) -> None:
    """Prompt and answer against the contexts that each has. Raises ``ContextLengthExceeded``."""
    if prompt_tokens > facts.max_model_len:
        raise ContextLengthExceeded(
            f"The prompt has {prompt_tokens} tokens; this model reads at most {facts.max_model_len}. Nothing is cut "
            "off here: shorten the prompt, or split it.",
            param="prompt",
        )
    if wanted > facts.max_output_tokens:
        raise ContextLengthExceeded(
            f"{wanted} tokens are asked for; this model writes at most {facts.max_output_tokens}. Lower max_tokens.",
            param="max_tokens",
        )


def _choice_seed(sampling: SamplingParams, choice: int) -> int | None:
    """Choices of one seeded request differ, and each is reproducible; without a seed the engine draws one."""
    return None if sampling.seed is None else sampling.seed + choice


def read_eos_token_ids(folder: Path, tokenizer: Tokenizer) -> frozenset[int]:
    """End-of-sequence ids of a checkpoint: generation_config.json, else config.json, else the tokenizer's."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        if path.is_file():
            value = msgspec.json.decode(path.read_bytes()).get("eos_token_id")
            if isinstance(value, int):
                return frozenset({value})
            if isinstance(value, list):
                return frozenset(value)
    eos = tokenizer.special_tokens.get("eos_token")
    found = tokenizer.id_of(eos) if eos else None
    return frozenset() if found is None else frozenset({found})


def _with_query(given: Input) -> str:
    return " together with the other text of its pair" if isinstance(given, PairPrompt) else ""
