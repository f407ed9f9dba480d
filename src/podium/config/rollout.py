"""How a new version takes over traffic, and how sure one wants to be before it does."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from podium.config.frozen import Group

_WHOLE = 100.0


class MetricWeights(Group):
    """How much each metric counts towards a rollback; metrics that are not measured leave theirs to the others."""

    errors: float = Field(0.4, ge=0, le=1, description="Failed attempts: 5xx, reset, timeout, no healthy host.")
    aborted: float = Field(0.2, ge=0, le=1, description="Streams that ended after their first byte.")
    ttft: float = Field(0.2, ge=0, le=1, description="Time to the first token.")
    itl: float = Field(0.1, ge=0, le=1, description="Time between tokens.")
    validity: float = Field(0.1, ge=0, le=1, description="Empty or unusable answers.")

    @model_validator(mode="after")
    def _sum_to_one(self) -> MetricWeights:
        total = math.fsum((self.errors, self.aborted, self.ttft, self.itl, self.validity))
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the weights sum to {total:.6g}; they should sum to 1, or alpha promises nothing")
        if self.errors + self.aborted + self.validity == 0:
            raise ValueError("one of errors, aborted and validity should weigh more than 0: promotion rests on counts")
        return self


class Shadow(Group):
    """How answers to copied requests are compared before a canary gets traffic (`podium rollout start --shadow`)."""

    share: float = Field(
        10.0,
        gt=0,
        le=100,
        description="Requests that are copied, in percent. Each costs two or three more answers, behind all others.",
    )
    check: Literal["good", "similar"] = Field(
        "good",
        description="`good`: an answer should be whole, not empty, and JSON where the request wants that. `similar`: "
        "its words should also be as like the old version's as two answers of the old version are like each other.",
    )
    max_worse: float = Field(
        0.02, gt=0, lt=1, description="How much larger the part of bad answers may be; half takes twice the pairs."
    )


class Rollout(Group):
    """Canary steps and the judgement of each. What the numbers mean is told in docs/rollouts.md."""

    steps: tuple[float, ...] = Field(
        (5.0, 25.0, 50.0, 100.0), description="The canary's part of traffic in each step, in percent; the last is 100."
    )
    alpha: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="Chance that a good canary is rolled back, over a whole rollout. With a tenth of it, a bad one is "
        "found about 1.4 times as late.",
    )
    beta: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Chance, in each step, that a canary advances though its bad rate grew by more than allowed.",
    )
    max_bad_rate_increase: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="How much the bad rate may grow, as a part of all requests. Half of it takes two to four times the "
        "requests to prove; 0 could never be proven.",
    )
    min_canary_requests: int = Field(50, ge=1, description="Canary requests in a step before it may advance.")
    weights: MetricWeights = Field(MetricWeights(), description="How much each metric counts towards a rollback.")
    sample_ratio_alpha: float = Field(
        0.001,
        gt=0,
        lt=0.5,
        description="Chance that a correct split of traffic is called wrong, which holds a rollout.",
    )
    interval_seconds: float = Field(
        5.0,
        ge=1,
        le=300,
        description="Length of the intervals in which both versions are compared; looking often is free.",
    )
    min_soak_seconds: float = Field(60.0, ge=0, description="How long a step lasts at least.")
    blind_seconds: float = Field(
        60.0, gt=0, description="A version without attempts for so long holds the rollout: nothing can be compared."
    )
    step_deadline_seconds: float = Field(
        3600.0, gt=0, description="A step without a verdict for so long is held until somebody decides."
    )
    bake_seconds: float = Field(
        1800.0, gt=0, description="How long the old version stays hot after the new one has got all traffic."
    )
    max_error_rate: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Part of failed requests above which a rollout that is judged by threshold rolls back, and any "
        "rollout while the new version has all traffic.",
    )
    shadow: Shadow = Field(Shadow(), description="Copies of requests, where a rollout begins with them.")
    settle_seconds: float = Field(
        30.0,
        ge=10,
        le=3600,
        description="An interval is judged at the latest so long after its end; what is undecided then counts as not "
        "bad. At least `gateway.first_byte_seconds` is waited.",
    )
    history_file: str = Field(
        "podium-rollouts.db",
        min_length=1,
        description="SQLite file that tells what rollouts did, made by the first one; it survives restarts, and says "
        "which environment is the stable one after a rollout.",
    )

    @model_validator(mode="after")
    def _can_finish(self) -> Rollout:
        _check_steps(self.steps)
        if self.min_soak_seconds >= self.step_deadline_seconds:
            raise ValueError(
                f"min_soak_seconds {self.min_soak_seconds:g} is not below step_deadline_seconds "
                f"{self.step_deadline_seconds:g}: every step would be held; shorten one or lengthen the other"
            )
        if self.blind_seconds < self.interval_seconds:
            raise ValueError(
                f"blind_seconds {self.blind_seconds:g} is below interval_seconds {self.interval_seconds:g}: it should "
                "be at least one interval"
            )
        return self


def _check_steps(steps: tuple[float, ...]) -> None:
    shown = ", ".join(f"{step:g}" for step in steps)
    if not steps or steps[-1] != _WHOLE:
        raise ValueError(f"steps [{shown}] do not end in 100: the rollout would never finish; append 100")
    if not all(before < after for before, after in zip((0.0, *steps), steps, strict=False)):
        raise ValueError(f"steps [{shown}] do not increase from above 0; sort them and drop repeats")
