"""``podium rollout plan``: what a start would do."""

from __future__ import annotations

from podium.cli import output
from podium.cli.durations import duration_text
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption, KeyFileOption, UrlOption
from podium.cli.rollout.connection import RolloutConnection, rollouts_at
from podium.cli.rollout.request import with_request_options
from podium.protocols.rollouts import PlanAnswer, PlannedStep, RolloutRequest

_LONG_MINUTES = 5


@with_request_options
def plan(
    request: RolloutRequest,
    *,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show the steps of a rollout, and how many requests and minutes each takes at the present traffic.

    Changes nothing. Exit status: 0 when it could start now, 2 when it would be refused; the reasons are listed.

    \b
    Examples:
      podium rollout plan green
      podium rollout plan green --steps 10,50,100 --max-bad-rate-increase 0.02
      podium rollout plan green --strategy blue-green --json
    """
    with rollouts_at(url, key_file, config) as controller:
        answer = _planned(controller, request)
    if as_json:
        output.document(answer)
    else:
        show_plan(answer)
    return ExitCode.USAGE if answer.problems else ExitCode.OK


def _planned(controller: RolloutConnection, request: RolloutRequest) -> PlanAnswer:
    try:
        return controller.plan(request)
    except Failure as error:
        raise Failure(error.message, ExitCode.USAGE if error.code is ExitCode.REFUSED else error.code) from error


def show_plan(answer: PlanAnswer) -> None:
    """The plan for a person; its problems on standard error."""
    judged = "judged against it" if answer.judged_by == "evidence" else "judged by its error rate"
    output.line(f"{answer.environment} takes over from {answer.stable}: {answer.strategy}, {judged}")
    output.line(f"revision {answer.revision}; {_traffic(answer)}")
    output.line("")
    columns = ("step", "share", "canary requests", "about", "at least", "at most")
    output.table(columns, [(number, *_cells(step)) for number, step in enumerate(answer.steps, start=1)])
    output.line("")
    if answer.about_minutes is not None:
        output.line(
            f"in all about {_about(answer.about_minutes)}, if {answer.environment} is as good as {answer.stable}"
        )
    else:
        output.line("how long it takes cannot be told: there is no traffic to go by")
    for problem in answer.problems:
        output.warning(f"would be refused: {problem}")


def _traffic(answer: PlanAnswer) -> str:
    if not answer.requests_per_second:
        return "no traffic at present"
    bad = "" if answer.stable_bad_rate is None else f", {answer.stable_bad_rate:.2%} of it bad"
    return f"{answer.requests_per_second:.3g} requests a second at present{bad}"


def _about(minutes: float) -> str:
    """An estimate, no finer than it can be."""
    return duration_text(round(minutes) * 60 if minutes >= _LONG_MINUTES else minutes * 60)


def _cells(step: PlannedStep) -> tuple[object, ...]:
    return (
        f"{step.share:g} %",
        None if step.canary_requests is None else f"{step.canary_requests:,}",
        None if step.about_minutes is None else _about(step.about_minutes),
        duration_text(step.at_least_seconds),
        duration_text(step.at_most_seconds),
    )
