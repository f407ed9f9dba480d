"""Words that YAML takes for something else."""

from __future__ import annotations

from pydantic import BeforeValidator


def _said_off(value: object) -> object:
    return "off" if value is False else value


OFF_IS_A_WORD = BeforeValidator(_said_off)
"""For settings that may be ``off``: without quotation marks, YAML 1.1 reads that word as false."""
