"""What a judgement can end in. No data is never a pass and never a fail: it is a hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from podium.rollout.analysis.certificate import Certificate
from podium.rollout.analysis.policy import CountedMetric, Metric


class Rollback(msgspec.Struct, frozen=True, tag="ROLLBACK", tag_field="verdict"):
    """The canary is worse. ``metric`` says in what; None when a guard tripped. Never taken back."""

    reason: Literal["evidence", "threshold", "unready", "crash-loop"]
    sentence: str
    metric: Metric | None = None


class Advance(msgspec.Struct, frozen=True, tag="ADVANCE", tag_field="verdict"):
    """Go to the next step: the bad rates grew by no more than is allowed, proven or, by ``threshold``, as counted."""

    reason: Literal["certified", "threshold"]
    sentence: str
    certificates: Mapping[CountedMetric, Certificate]


class Hold(msgspec.Struct, frozen=True, tag="HOLD", tag_field="verdict"):
    """Not known yet.

    Attributes:
        reason: ``evidence`` (more requests are needed), ``soak`` (only time is), ``blind`` (an arm gets no traffic) or
            ``instrumentation`` (traffic is not split as declared, so no count can be believed).
        needs_canary_requests: further canary requests until promotion if both rates stay as they are; None when no
            number is enough, or none can be told.
        about_minutes: how long these take at the present traffic; None as above.
    """

    reason: Literal["evidence", "soak", "blind", "instrumentation"]
    sentence: str
    needs_canary_requests: int | None = None
    about_minutes: float | None = None


Verdict = Rollback | Advance | Hold
