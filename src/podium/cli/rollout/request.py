"""What ``plan`` and ``start`` are told alike: the options, and the request that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from podium.cli.durations import seconds_in
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.protocols.rollouts import JudgedBy, RolloutRequest, Strategy

EnvironmentArgument = Annotated[
    str, typer.Argument(help="The environment that takes over from the stable one.", metavar="ENV")
]
RevisionOption = Annotated[
    str | None,
    typer.Option("--revision", help="A name for what runs there; one that was aborted never starts again."),
]
VersionOption = Annotated[
    str | None,
    typer.Option("--version", help="A model's version that its servers load first.", metavar="NAME@VERSION"),
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
ShadowOption = Annotated[
    bool,
    typer.Option("--shadow", help="Before the first step, copy requests and compare the answers; no client sees them."),
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


def request_of(
    environment: EnvironmentArgument,
    *,
    revision: RevisionOption = None,
    version: VersionOption = None,
    strategy: StrategyOption = "canary",
    steps: StepsOption = None,
    step_count: StepCountOption = None,
    duration: DurationOption = None,
    judged_by: JudgedByOption = "evidence",
    max_error_rate: ErrorRateOption = None,
    soak: SoakOption = None,
    max_bad_rate_increase: IncreaseOption = None,
    alpha: AlphaOption = None,
    shadow: ShadowOption = False,
    supersede: SupersedeOption = False,
) -> RolloutRequest:
    """The request that the options make. Raises Failure for one that cannot be read."""
    return RolloutRequest(
        environment=environment,
        revision=revision,
        version=version,
        strategy=strategy,
        steps=steps_in(steps),
        step_count=step_count,
        duration_seconds=duration_in(duration, "--duration"),
        judged_by=judged_by,
        max_error_rate=max_error_rate,
        min_soak_seconds=duration_in(soak, "--soak"),
        max_bad_rate_increase=max_bad_rate_increase,
        alpha=alpha,
        shadow=shadow,
        supersede=supersede,
    )


def with_request_options(command: Callable[..., int]) -> Callable[..., int]:
    """``command``, whose first argument is a request, with the options of ``request_of`` before its own."""
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    asked = list(inspect.signature(request_of, eval_str=True).parameters.values())

    @wraps(command)
    def run(**given: Any) -> int:
        return command(request_of(**{each.name: given.pop(each.name) for each in asked}), **given)

    run.__signature__ = inspect.Signature([*asked, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*asked, *own)}
    return run
