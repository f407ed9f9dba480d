"""How many tokens a second were measured: from the result of a load test."""

from __future__ import annotations

from pathlib import Path

import msgspec

from podium.core.errors import ConfigurationError

_FILE = "result.json"
_FORMAT = "podium-bench/"


class _Reason(msgspec.Struct, frozen=True):
    detail: str = ""


class _Summary(msgspec.Struct, frozen=True):
    output_throughput: float


class _Result(msgspec.Struct, frozen=True):
    format: str
    invalid: list[_Reason] = []
    summary: _Summary | None = None


def tokens_per_second_in(path: Path) -> float:
    """Output tokens a second in the result of `podium bench run`: its folder, or the `result.json` in it.

    Raises ``ConfigurationError`` when it is none, or when the run is stamped invalid: its figures are none.
    """
    file = path / _FILE if path.is_dir() else path
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_Result)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}; name the folder of a `podium bench run`") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{file} is no result of a load test: {error}") from error
    if not found.format.startswith(_FORMAT):
        raise ConfigurationError(f"{file} says that it is {found.format!r}; {_FORMAT}1 is needed")
    if found.invalid or found.summary is None:
        why = "; ".join(reason.detail for reason in found.invalid) or "it has no summary"
        raise ConfigurationError(f"{file} is stamped INVALID, so its figures say nothing: {why}. Run it again.")
    if found.summary.output_throughput <= 0:
        raise ConfigurationError(f"{file} has no output tokens: a price for a million of them needs some")
    return found.summary.output_throughput
