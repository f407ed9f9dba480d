"""Which configurations are tried: one setting changed at a time, then several at once, by a seeded draw."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podium.core.errors import InvalidRequest


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to the engine's settings; none for the configuration as it is."""

    changes: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """``max_batch_tokens=512 threads=1``, or ``default``."""
        return " ".join(f"{key}={_plain(value)}" for key, value in sorted(self.changes.items())) or "default"


DEFAULT = Candidate()
_MIXED = 0.6  # of the settings change in a combination


def choices(kind: str, cores: int) -> dict[str, list[Any]]:
    """The settings of an engine that are worth trying here, with their values.

    None of them lowers the quality of answers: precisions below the configured one are no choice.
    Raises ``InvalidRequest`` for an engine without such settings.
    """
    threads = [cores // 2] if cores > 1 else []
    known: dict[str, dict[str, list[Any]]] = {
        "openvino": {
            "max_batch_tokens": [64, 128, 256, 512, 1024, 2048],
            "max_batch_sequences": [16, 32, 64, 128],
            "prefix_caching": [True, False],
            "threads": threads,
        },
        "transformers": {"max_batch_sequences": [4, 8, 16, 32], "threads": threads},
        "vllm": {
            "max_batch_tokens": [512, 1024, 2048, 4096, 8192],
            "max_batch_sequences": [32, 64, 128, 256],
            "prefix_caching": [True, False],
        },
        "echo": {"max_batch_sequences": [1, 2, 4, 64]},
    }
    if kind not in known:
        raise InvalidRequest(f"the engine {kind} has no settings to tune; tunable: {', '.join(known)}")
    return known[kind]


def candidates(of: Mapping[str, Sequence[Any]], present: Mapping[str, Any], count: int, seed: int) -> list[Candidate]:
    """Up to ``count`` different candidates, the default first. ``present``: the configured values of the settings."""
    other = {name: [value for value in values if value != present.get(name)] for name, values in of.items()}
    single = [Candidate(changes={name: value}) for name, values in other.items() for value in values]
    found = {DEFAULT.name: DEFAULT}
    draw = random.Random(seed)  # noqa: S311 - which settings to try, no secret
    draw.shuffle(single)
    for one in single[: max(1, (count - 1) * 2 // 3)]:
        found.setdefault(one.name, one)
    for _ in range(20 * count):  # small spaces run out of new combinations
        if len(found) >= count:
            break
        mixed = {name: draw.choice(values) for name, values in other.items() if values and draw.random() < _MIXED}
        found.setdefault(Candidate(changes=mixed).name, Candidate(changes=mixed))
    return list(found.values())[:count]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
