"""A rollout as one line, where there is no terminal to draw on."""

from __future__ import annotations

from podium.cli.durations import clock_text
from podium.cli.rollout.picture import odds_text, shown_verdict
from podium.protocols.rollouts import RolloutAnswer


def standing(rollout: RolloutAnswer) -> tuple[object, ...]:
    """What makes a new line when it changes; evidence and counts alone do not."""
    verdict = shown_verdict(rollout)
    words = None if verdict is None else (verdict.word, verdict.reason)
    return rollout.phase, rollout.step, rollout.wanted, rollout.confirmed, rollout.reason, words


def change_line(rollout: RolloutAnswer, now: float) -> str:
    """``14:05:09 observing, step 2 of 4, 25 %: HOLD (evidence): needs …; evidence 1.2 to 1``."""
    share = f"{rollout.confirmed:g} %"
    if rollout.wanted != rollout.confirmed:
        share += f" ({rollout.wanted:g} % wanted)"
    parts = [f"{clock_text(now)} {rollout.phase}, step {rollout.step + 1} of {len(rollout.steps)}, {share}"]
    verdict = shown_verdict(rollout)
    if rollout.reason:
        parts.append(rollout.reason)
    elif verdict is not None:
        parts.append(f"{verdict.word} ({verdict.reason}): {verdict.sentence}")
    if rollout.evidence is not None:
        parts.append(f"evidence {odds_text(rollout.evidence.odds)} to 1")
    return "; ".join(parts)
