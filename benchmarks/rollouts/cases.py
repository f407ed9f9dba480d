"""What is simulated: the rows of the page."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.rollouts.rules import RULES, Rule, e_process
from benchmarks.rollouts.slowness import Slowness
from benchmarks.rollouts.traffic import Case


@dataclass(frozen=True)
class Row:
    """A case, its runs (``many``: as many as were asked for; else a fifth), and the rules that judge it."""

    case: Case
    many: bool = False
    rules: dict[str, Rule] = field(default_factory=lambda: dict(RULES))


@dataclass(frozen=True)
class Promotion:
    """A case in which the certificate is to promote, or must not."""

    case: Case
    max_increase: float


ALPHAS = {f"alpha {alpha}": e_process(alpha) for alpha in (0.05, 0.001)}
WEIGHTED = {"weight 0.4": e_process(0.01, weight=0.4)}
OURS = {"e-process": e_process(0.01)}

TABLE = (
    Row(Case("equal, 10/s, 10 %", 10, 0.1, 0.005), many=True, rules={**RULES, **ALPHAS, **WEIGHTED}),
    Row(Case("equal, 0.5/s, 10 %", 0.5, 0.1, 0.005), many=True),
    Row(Case("equal, 10 minutes of 10 % bad on both", 10, 0.1, 0.005, incident=(20, 30, 0.1)), many=True),
    Row(Case("equal, bad attempts in bursts of 3", 10, 0.1, 0.005, burst=3), many=True),
    Row(Case("4 times as bad", 10, 0.1, 0.02), rules={**RULES, **ALPHAS, **WEIGHTED}),
    Row(Case("10 times as bad", 10, 0.1, 0.05), rules={**RULES, **WEIGHTED}),
    Row(Case("1.5 times as bad", 10, 0.1, 0.0075)),
    Row(Case("half of answers broken, 5 %", 10, 0.05, 0.5)),
    Row(Case("10 times as bad, 0.5/s, 10 %", 0.5, 0.1, 0.05)),
    Row(Case("10 times as bad, 0.5/s, 50 %", 0.5, 0.5, 0.05)),
)
LONG = (Row(Case("equal, 2/s, 10 %, 12 hours", 2, 0.1, 0.005, minutes=720), rules=OURS),)
SHARES = tuple(
    Row(Case(f"4 times as bad at {share:.0%}", 10, share, 0.02), rules=OURS) for share in (0.01, 0.05, 0.1, 0.25, 0.5)
)
PROMOTIONS = (
    Promotion(Case("equal, may grow 2 points", 10, 0.1, 0.005), 0.02),
    Promotion(Case("equal, may grow 1 point", 10, 0.1, 0.005, minutes=90), 0.01),
    Promotion(Case("equal, may grow 1 point, at 50 %", 10, 0.5, 0.005), 0.01),
    Promotion(Case("worse by exactly what is allowed", 10, 0.1, 0.015), 0.01),
)
SPLITS = ((0.1, 0.12), (0.1, 0.15), (0.1, 0.05), (0.5, 0.52), (0.01, 0.02), (0.1, 0.1), (0.5, 0.5), (0.01, 0.01))
SLOWNESSES = (
    Slowness("equal"),
    Slowness("10 % slower", factor=1.1),
    Slowness("30 % slower", factor=1.3),
    Slowness("twice as slow", factor=2.0),
    Slowness("3 % of requests 5 s later", delayed_share=0.03, delay_seconds=5.0),
)
