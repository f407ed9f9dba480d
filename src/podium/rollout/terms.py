"""What one rollout was started with. Kept in its first event, so that replaying needs no configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from podium.rollout.analysis.policy import WEIGHTS, Metric, Policy
from podium.rollout.analysis.shadow_evidence import ShadowTerms

Strategy = Literal["canary", "blue-green", "linear"]
JudgedBy = Literal["evidence", "threshold"]


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes over from whom, how it is judged, and how long each phase may last.

    Attributes:
        environment, stable: the one that takes over, and the one that had all traffic before.
        policy, weights: how sure one wants to be, and what each metric weighs.
        measured: what is measured; the default is what was, before rollouts said it.
        max_error_rate: the most that ``threshold`` lets pass, and that nobody may exceed while baking; 0 to 1.
        preview_seconds: how long the environment is reached by header only before it gets traffic.
        step_deadline_seconds, bake_seconds: how long a step, and the time at 100 %, last at most.
        settle_seconds: an interval is judged at the latest so long after its end.
        version: the model that its servers load first, as NAME@VERSION; empty: they serve what they serve.
        shadow: how answers to copied requests are compared first; None: they are not.
        configured: what the configuration said about traffic then; when it says something else later, it counts again.
    """

    environment: str = ""
    stable: str = ""
    strategy: Strategy = "canary"
    judged_by: JudgedBy = "evidence"
    policy: Policy = Policy()
    measured: tuple[Metric, ...] = ("errors", "aborted", "ttft")
    weights: Mapping[Metric, float] = msgspec.field(default_factory=lambda: dict(WEIGHTS))
    max_error_rate: float = 0.05
    preview_seconds: float = 0.0
    step_deadline_seconds: float = 3600.0
    bake_seconds: float = 1800.0
    settle_seconds: float = 30.0
    version: str = ""
    shadow: ShadowTerms | None = None
    configured: str = ""
