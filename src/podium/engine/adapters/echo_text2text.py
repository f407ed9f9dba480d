"""The echo engine as an encoder-decoder: it writes what it reads, and both have a context of their own."""

from __future__ import annotations

from pathlib import Path

from podium.config.engine import EchoEngine
from podium.engine.adapters import echo
from podium.engine.adapters.echo import tokenizer
from podium.engine.interface import LoadContext
from podium.engine.text2text import Text2TextPlan, encoder_decoder_facts

__all__ = ["load_text2text", "tokenizer"]


def load_text2text(model_dir: Path, config: EchoEngine, context: LoadContext, plan: Text2TextPlan) -> echo.Echo:
    """Ready after ``load_seconds``."""
    engine = echo.load(model_dir, config, context)
    engine.facts = encoder_decoder_facts(engine.facts, plan)
    return engine
