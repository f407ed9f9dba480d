"""The options that bound use, the same ones for keys, tenants and models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.core.identity import Quotas

_ZERO = "0 is no bound."

RequestsPerMinuteOption = Annotated[
    int | None, typer.Option("--requests-per-minute", min=0, help=f"Requests in any 60 seconds. {_ZERO}")
]
TokensPerMinuteOption = Annotated[
    int | None, typer.Option("--tokens-per-minute", min=0, help=f"Prompt and output tokens in any 60 seconds. {_ZERO}")
]
TokensPerDayOption = Annotated[
    int | None, typer.Option("--tokens-per-day", min=0, help=f"Prompt and output tokens in any 24 hours. {_ZERO}")
]
ConcurrentOption = Annotated[
    int | None, typer.Option("--concurrent", min=0, help=f"Requests at the same time. {_ZERO}")
]
BudgetPerDayOption = Annotated[
    float | None, typer.Option("--budget-per-day", min=0, help=f"Money in any 24 hours, by access.prices. {_ZERO}")
]
BudgetPer30DaysOption = Annotated[
    float | None, typer.Option("--budget-per-30-days", min=0, help=f"Money in any 30 days, by access.prices. {_ZERO}")
]


def changed(quotas: Quotas, given: Mapping[str, float | None]) -> Quotas:
    """``quotas`` with the options of a command put over them: None was not given, 0 takes a bound away."""
    changes: dict[str, Any] = {name: finite(value) or None for name, value in given.items() if value is not None}
    return msgspec.structs.replace(quotas, **changes)


def finite(value: float) -> float:
    """``value``, if it is a number that one can count with. Raises ``Failure`` for ``nan`` and ``inf``."""
    if not math.isfinite(value):
        raise Failure("a limit or weight is a number; 0 takes a limit away", ExitCode.USAGE)
    return value


def limits_text(quotas: Quotas) -> str | None:
    """Bounds for a person, such as ``requests_per_minute 60``; None when there are none."""
    bounds = {name: getattr(quotas, name) for name in Quotas.__struct_fields__}
    return ", ".join(f"{name} {value:g}" for name, value in bounds.items() if value is not None) or None
