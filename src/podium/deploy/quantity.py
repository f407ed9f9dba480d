"""Quantities and durations as Kubernetes writes them."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?\Z")
_UNITS = {
    None: 1.0, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_DURATION = re.compile(
    r"(?:(?P<h>[0-9]{1,5})h)?(?:(?P<m>[0-9]{1,5})m)?(?:(?P<s>[0-9]{1,5})s)?(?:(?P<ms>[0-9]{1,5})ms)?\Z"
)


def parse_quantity(value: object) -> float | None:
    """A quantity as a number (bytes, cores, pieces); None when it is none, which no schema notices."""
    match = _QUANTITY.match(str(value))
    return None if match is None else float(match["number"]) * _UNITS[match["unit"]]


def quantity(text: str) -> float:
    """A quantity that is known to be one. Raises ``ValueError`` for anything else."""
    found = parse_quantity(text)
    if found is None:
        msg = f"{text!r} is no quantity"
        raise ValueError(msg)
    return found


def parse_duration(value: object) -> float | None:
    """Seconds of a Gateway API duration such as ``1h30m`` or ``0s``; None when it is none."""
    match = _DURATION.match(str(value))
    if match is None or not str(value):
        return None
    parts = {unit: int(number or 0) for unit, number in match.groupdict().items()}
    return parts["h"] * 3600 + parts["m"] * 60 + parts["s"] + parts["ms"] / 1000
