"""What ``plan`` and ``start`` are told alike: the options, and the request that they make."""

from __future__ import annotations

from typing import Annotated

import typer

from podium.cli.durations import seconds_in
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.protocols.rollouts import JudgedBy, Strategy

EnvironmentArgument = Annotated[
    str, typer.Argument(help="The environment that takes over from the stable one.", metavar="ENV")
]
RevisionOption = Annotated[
    str | None,
    typer.Option("--revision", help="A name for what runs there; one that was aborted never starts again."),
]
StrategyOption = Annotated[
    Strategy,
    typer.Option("--strategy", help="canary: by --steps. blue-green: none, then all. linear: equal steps over a time."),
]
StepsOption = Annotated[
    str | None,
    typer.Option("--steps", help="Shares in per cent, increasing, the last one 100.", metavar="SHARE,SHARE,..."),
]
StepCountOption = Annotated[int | None, typer.Option("--step-count", help="Steps of a linear rollout.", min=1)]
DurationOption = Annotated[
    str | None, typer.Option("--duration", help="How long a linear rollout takes: 30m, 2h.", metavar="TIME")
]
JudgedByOption = Annotated[
    JudgedBy,
    typer.Option(
        "--judged-by", help="evidence: against the stable version, at the same time. threshold: by --max-error-rate."
    ),
]
ErrorRateOption = Annotated[
    float | None,
    typer.Option("--max-error-rate", help="With --judged-by threshold: the most errors that pass; 0.01 is 1 %."),
]
SoakOption = Annotated[str | None, typer.Option("--soak", help="How long a step lasts at least: 60s.", metavar="TIME")]
IncreaseOption = Annotated[
    float | None, typer.Option("--max-bad-rate-increase", help="How much the bad rate may grow; 0.01 is a point.")
]
AlphaOption = Annotated[
    float | None, typer.Option("--alpha", help="Chance that a good canary is rolled back; 0.01 is 1 %.")
]
SupersedeOption = Annotated[bool, typer.Option("--supersede", help="Abort the rollout that runs, if any, first.")]


def steps_in(text: str | None) -> list[float] | None:
    """``5,25,100`` as numbers; None stays None."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Failure(
            f"--steps {text}: shares with commas between are needed, such as 5,25,100", ExitCode.USAGE
        ) from None


def duration_in(text: str | None, option: str) -> float | None:
    """A length of time in seconds; None stays None."""
    return None if text is None else seconds_in(text, option)
