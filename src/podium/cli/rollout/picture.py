"""A rollout as a person sees it: where it stands, what is known about the canary, and what happened last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from podium.cli.durations import clock_text, duration_text
from podium.cli.rollout.event_words import event_text
from podium.cli.rollout.sparkline import sparkline
from podium.protocols.rollouts import ArmCounts, EventBody, EvidenceBody, RolloutAnswer, ShadowBody, VerdictBody

_BAR_CELLS = 40
_SPARKLINE_COLUMNS = 60
_PHASE_STYLES = {
    "done": "bold green",
    "held": "bold yellow",
    "aborting": "bold red",
    "draining-canary": "bold red",
    "rolled-back": "bold red",
    "superseded": "bold yellow",
}
_JUDGED = {"shadowing", "observing", "held", "baking"}
_WORD_STYLES = {"ADVANCE": "bold green", "ROLLBACK": "bold red", "HOLD": "bold"}

Row = tuple[str, RenderableType]


def picture(
    rollout: RolloutAnswer, newest: Sequence[EventBody], now: float, aside: Mapping[str, str] = MappingProxyType({})
) -> RenderableType:
    """Everything about a rollout, for 80 columns and more. ``now``: seconds since 1970; ``aside``: further rows."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, min_width=9)
    grid.add_column(overflow="fold")
    for label, shown in _rows(rollout, newest, now, aside):
        grid.add_row(label, shown)
    return grid


def _rows(rollout: RolloutAnswer, newest: Sequence[EventBody], now: float, aside: Mapping[str, str]) -> Iterator[Row]:
    yield "rollout", _title(rollout)
    yield "steps", _track(rollout)
    yield "traffic", _bar(rollout)
    yield "phase", _phase(rollout, now)
    if rollout.waits_for and not rollout.ended:
        yield "waits for", Text(waits_for(rollout))
    if rollout.shadow is not None:
        yield "shadow", _shadow(rollout, rollout.shadow)
    if rollout.evidence is not None:
        yield from _evidence(rollout, rollout.evidence)
    verdict = shown_verdict(rollout)
    if verdict is not None:
        yield "verdict", _verdict(verdict)
    yield from ((label, Text(words)) for label, words in aside.items())
    if newest:
        yield "", Text("")
    for number, event in enumerate(newest):
        yield "events" if number == 0 else "", _event(event)


def _shadow(rollout: RolloutAnswer, shadow: ShadowBody) -> Text:
    bad = f"bad {rollout.stable} alone {shadow.only_stable_bad}, {rollout.environment} alone {shadow.only_canary_bad}"
    return Text(f"{shadow.pairs:,} pairs, {bad}; {odds_text(shadow.odds)} to 1 that {rollout.environment} is worse")


def _title(rollout: RolloutAnswer) -> Text:
    text = Text()
    text.append(rollout.environment, "bold cyan")
    text.append(f" takes over from {rollout.stable}  ")
    text.append(f"(number {rollout.number}, {rollout.strategy}, {rollout.revision})", "dim")
    return text


def _track(rollout: RolloutAnswer) -> Text:
    """Each step with a mark: done, where it stands or was left, or to come."""
    text = Text()
    left = rollout.phase in {"aborting", "draining-canary", "rolled-back", "superseded"}
    for number, share in enumerate(rollout.steps):
        if rollout.phase == "done" or number < rollout.step:
            mark, style = "✔", "green"
        elif number > rollout.step or _before_the_first(rollout):
            mark, style = "·", "dim"
        else:
            mark, style = ("✘", "bold red") if left else ("▶", "bold cyan")
        text.append(f"{mark} {share:g} %", style)
        text.append("   " if number + 1 < len(rollout.steps) else "")
    return text


def _before_the_first(rollout: RolloutAnswer) -> bool:
    stood = rollout.held_from or rollout.phase
    return rollout.step == 0 and stood in {"preparing", "warming", "shadowing"}


def _bar(rollout: RolloutAnswer) -> Text:
    """The canary's share as confirmed, and as wanted where that differs."""
    confirmed, wanted = _cells(rollout.confirmed), _cells(rollout.wanted)
    text = Text()
    text.append("█" * confirmed, "cyan")
    text.append("▒" * max(0, wanted - confirmed), "cyan")
    text.append("─" * (_BAR_CELLS - max(confirmed, wanted)), "dim")
    text.append(f" {rollout.confirmed:g} %", "bold")
    if rollout.wanted != rollout.confirmed:
        text.append(f", {rollout.wanted:g} % wanted", "yellow")
    return text


def _cells(share: float) -> int:
    """Cells of the bar; something is never shown as nothing."""
    return min(_BAR_CELLS, math.ceil(share / 100 * _BAR_CELLS))


def _phase(rollout: RolloutAnswer, now: float) -> Text:
    text = Text()
    text.append(rollout.phase, _PHASE_STYLES.get(rollout.phase, "bold"))
    if rollout.phase == "held" and rollout.held_from:
        text.append(f" (was {rollout.held_from})")
    if rollout.reason:
        text.append(f": {rollout.reason}")
    if rollout.ended:
        text.append(f", {clock_text(rollout.phase_since)} UTC", "dim")
        return text
    text.append(f", for {duration_text(now - rollout.phase_since)}", "dim")
    return text


def _evidence(rollout: RolloutAnswer, evidence: EvidenceBody) -> Iterator[Row]:
    text = Text()
    text.append(f"{odds_text(evidence.odds)} to 1", _odds_style(evidence.odds, evidence.alarm))
    text.append(f" that {rollout.environment} is worse; rolled back at {odds_text(evidence.alarm)} to 1")
    yield "evidence", text
    if evidence.points:
        logs = [math.log(max(point.odds, 1e-9)) for point in evidence.points]
        line = sparkline(logs, math.log(evidence.alarm), columns=_SPARKLINE_COLUMNS)
        yield "", Text(line, _odds_style(evidence.odds, evidence.alarm))
    for name, arms in evidence.metrics.items():
        yield name, _counts(rollout, arms.get("stable", ArmCounts()), arms.get("canary", ArmCounts()))


def _counts(rollout: RolloutAnswer, stable: ArmCounts, canary: ArmCounts) -> Text:
    text = Text(f"{rollout.stable} {_of(stable)}   ")
    text.append(f"{rollout.environment} {_of(canary)}", "bold" if canary.bad else "")
    return text


def _of(counts: ArmCounts) -> str:
    rate = f" ({counts.bad / counts.attempts:.2%})" if counts.bad else ""
    return f"{counts.bad} of {counts.attempts:,}{rate}"


def shown_verdict(rollout: RolloutAnswer) -> VerdictBody | None:
    """The verdict, while it is about the present share: until that is observed, the newest one is about the last."""
    return rollout.verdict if rollout.phase in _JUDGED else None


def waits_for(rollout: RolloutAnswer) -> str:
    """What is waited for, without the verdict's sentence where that is told beside it."""
    verdict = shown_verdict(rollout)
    return rollout.waits_for if verdict is None else rollout.waits_for.replace(f": {verdict.sentence}", "")


def _verdict(verdict: VerdictBody) -> Text:
    text = Text()
    text.append(verdict.word, _WORD_STYLES[verdict.word])
    text.append(f" ({verdict.reason}): {verdict.sentence}")
    return text


def _event(event: EventBody) -> Text:
    text = Text()
    text.append(clock_text(event.at), "dim")
    text.append(f"  {event_text(event)}")
    text.append(f"  → {event.phase}", "dim")
    return text


def odds_text(odds: float) -> str:
    """``N`` of "N to 1"."""
    return f"{odds:,.3g}" if odds < 1e6 else f"10^{math.log10(odds):,.0f}"


def _odds_style(odds: float, alarm: float) -> str:
    height = math.log(max(odds, 1e-9)) / math.log(alarm)
    return "bold red" if height >= 1 else "yellow" if height >= 0.5 else "green"
