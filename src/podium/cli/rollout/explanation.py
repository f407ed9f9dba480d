"""Why a rollout stands where it does, from what the controller tells: sentences, and the commands that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from podium.cli.durations import clock_text, duration_text
from podium.cli.rollout.picture import odds_text, shown_verdict, waits_for
from podium.protocols.rollouts import EvidenceBody, RolloutAnswer, ShadowBody, VerdictBody

_PHASES = {
    "preparing": "It waits until the servers of {canary} are ready; {canary} gets no traffic before.",
    "warming": "{canary} is ready and is asked through the gateway; it gets no traffic yet.",
    "shadowing": "{canary} gets copies of requests, and its answers are compared; no user sees them.",
    "applying": "A new share was sent to the gateways; all of them have to confirm it before anything is counted.",
    "acked": "Every gateway has confirmed the share; attempts have to arrive on both versions now, as declared.",
    "observing": "Both versions are compared, interval by interval, until the verdict is ADVANCE or ROLLBACK.",
    "baking": "{canary} has all the traffic and is watched a while longer; {stable} is kept ready.",
    "draining": "{canary} has all the traffic; requests that still run on {stable} may finish.",
    "held": "It goes no further by itself; the share stays as it is.",
    "aborting": "All traffic goes back to {stable}; every gateway has to confirm that.",
    "draining-canary": "{stable} has all the traffic; requests that still run on {canary} may finish.",
    "done": "{canary} has taken over from {stable}.",
    "rolled-back": "{stable} has all the traffic. {revision} is not tried again; give a mended revision another name.",
    "superseded": "It made room for a newer rollout.",
}
_COMMANDS = {
    "approve": ("podium rollout approve", "goes on as if what is waited for had happened"),
    "abort": ("podium rollout abort", "takes all traffic from {canary}; this revision is then not tried again"),
    "promote": ("podium rollout promote", "sends all traffic to {canary} without waiting for proof"),
}


@dataclass(frozen=True)
class Explanation:
    """The parts of an explanation. ``commands``: what may be run now, and what it does."""

    standing: str
    meaning: str
    waits_for: str
    evidence: tuple[str, ...]
    ends: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]

    def paragraphs(self) -> Iterator[str]:
        """For a person."""
        yield self.standing
        yield self.meaning
        if self.waits_for:
            yield f"It waits for this: {self.waits_for}"
        for title, sentences in (("What is known", self.evidence), ("What would end it", self.ends)):
            if sentences:
                yield ""
                yield title
                yield from (f"  {sentence}" for sentence in sentences)
        if self.commands:
            yield ""
            yield "What you can do"
            width = max(len(command) for command, _ in self.commands)
            yield from (f"  {command:<{width}}   {does}" for command, does in self.commands)

    def document(self) -> dict[str, object]:
        """For a program."""
        return {
            "standing": self.standing,
            "meaning": self.meaning,
            "waits_for": self.waits_for,
            "evidence": list(self.evidence),
            "ends": list(self.ends),
            "commands": [{"command": command, "does": does} for command, does in self.commands],
        }


def explanation(rollout: RolloutAnswer, now: float) -> Explanation:
    """What can be said about a rollout at ``now``, in seconds since 1970."""
    return Explanation(
        standing=_standing(rollout, now),
        meaning=_filled(_PHASES.get(rollout.phase, ""), rollout),
        waits_for="" if rollout.ended else waits_for(rollout),
        evidence=tuple(_known(rollout)),
        ends=() if rollout.ended else tuple(_ends(rollout, now)),
        commands=tuple(_commands(rollout)),
    )


def _standing(rollout: RolloutAnswer, now: float) -> str:
    since = duration_text(now - rollout.phase_since)
    words = f"Rollout {rollout.number} of {rollout.environment} over {rollout.stable} has been {rollout.phase}"
    words += f" for {since}" if not rollout.ended else f" since {clock_text(rollout.phase_since)} UTC"
    if not rollout.ended:
        words += f", at step {rollout.step + 1} of {len(rollout.steps)} with {rollout.confirmed:g} % of the traffic"
    was = f" It was {rollout.held_from} before." if rollout.phase == "held" and rollout.held_from else ""
    return f"{words}{_because(rollout.reason)}.{was}"


def _because(reason: str) -> str:
    return f", because: {reason}" if reason else ""


def _known(rollout: RolloutAnswer) -> Iterator[str]:
    if rollout.shadow is not None:
        yield from _shadow(rollout, rollout.shadow)
    if rollout.evidence is not None:
        yield from _evidence(rollout, rollout.evidence)
    verdict = shown_verdict(rollout)
    if verdict is not None:
        yield f"The verdict is {verdict.word} ({verdict.reason}): {verdict.sentence}."
        yield from _larger(rollout, verdict)


def _shadow(rollout: RolloutAnswer, shadow: ShadowBody) -> Iterator[str]:
    yield (
        f"Of {shadow.pairs:,} copied requests {shadow.only_canary_bad} were answered badly by {rollout.environment} "
        f"alone, {shadow.only_stable_bad} by {rollout.stable} alone, {shadow.both_bad} by both; "
        f"the evidence that {rollout.environment} is worse is {odds_text(shadow.odds)} to 1, at most "
        f"{odds_text(shadow.highest_odds)} to 1 so far."
    )


def _evidence(rollout: RolloutAnswer, evidence: EvidenceBody) -> Iterator[str]:
    odds, alarm, highest = odds_text(evidence.odds), odds_text(evidence.alarm), odds_text(evidence.highest_odds)
    yield f"The evidence that {rollout.environment} is worse is {odds} to 1 now; the highest was {highest} to 1."
    if rollout.cut_streams:
        yield f"{rollout.cut_streams:,} answers of {rollout.environment} broke after their first byte."
    for metric, arms in evidence.metrics.items():
        stable, canary = arms.get("stable"), arms.get("canary")
        if stable is None or canary is None:
            continue
        yield (
            f"In {metric}, {canary.bad} of {canary.attempts:,} were bad on {rollout.environment} in this step, "
            f"{stable.bad} of {stable.attempts:,} on {rollout.stable}."
        )
    if evidence.undecided:
        yield f"{evidence.undecided:,} attempts were not waited for and count as good; {evidence.late:,} ended since."
    if not rollout.ended:
        yield f"At {alarm} to 1 it is rolled back."


def _larger(rollout: RolloutAnswer, verdict: VerdictBody) -> Iterator[str]:
    """What a larger share brings at best: as many canary requests come sooner."""
    larger = [share for share in rollout.steps if rollout.confirmed < share < 100]
    if not larger or not verdict.about_minutes or not rollout.confirmed or not verdict.needs_canary_requests:
        return
    sooner = duration_text(verdict.about_minutes * 60 * rollout.confirmed / larger[0])
    yield (
        f"At a share of {larger[0]:g} % as many canary requests come in {sooner} (somewhat more are needed then, "
        f"because fewer are left for {rollout.stable})."
    )


def _ends(rollout: RolloutAnswer, now: float) -> Iterator[str]:
    if rollout.phase == "observing":
        yield "ADVANCE: the next step begins. ROLLBACK: all traffic goes back."
    if rollout.deadline is not None:
        yield f"The time for what is waited for is over in {duration_text(rollout.deadline - now)}."
    if rollout.phase not in {"aborting", "draining-canary", "draining"}:
        yield f"If {rollout.environment} has had no ready server for five seconds, it is rolled back."


def _commands(rollout: RolloutAnswer) -> Iterator[tuple[str, str]]:
    for word in rollout.possible:
        if word in _COMMANDS:
            command, does = _COMMANDS[word]
            yield command, _filled(does, rollout)
    if rollout.ended:
        yield "podium rollout plan ENV", "shows what the next one would do"
    else:
        yield "podium rollout status --watch", "shows how it goes on"


def _filled(words: str, rollout: RolloutAnswer) -> str:
    return words.format(canary=rollout.environment, stable=rollout.stable, revision=rollout.revision)
