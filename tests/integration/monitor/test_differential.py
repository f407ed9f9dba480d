"""One series, two evaluators: the embedded monitor and Prometheus fire the same alerts at the same times.

Both see the same pages: the monitor reads one each second of a made-up clock, promtool gets the same values as its
input, a sample each five seconds. What Prometheus thinks is taken from what promtool says it got.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from podium.config.settings import Settings
from podium.deploy.prometheus.files import rule_file
from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import Key, catalog_of
from podium.monitor.meaning import of_controller, of_replica
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.target import ScrapeRefused, Target
from podium.telemetry import table
from podium.telemetry.metric import Metric
from support.monitor import Clock
from support.require import require_program

INTERVAL = 5
"""Seconds between evaluations of the exported rules."""
NO_TWIN_HERE = {"GpuMemoryHigh", "RetryOverflow", "NoHealthyServer"}
"""The first is by GPU in one and by all GPUs in the other, the others read the embedded verdict."""

_MODEL = 'model="m",version="1"'
_ROUTE = 'route="/generate"'
_OK = f'{table.REQUESTS.name}{{{_MODEL},{_ROUTE},outcome="ok"}}'
_BAD = f'{table.REQUESTS.name}{{{_MODEL},{_ROUTE},outcome="server_error"}}'
_HIT = f'{table.CACHE_REQUESTS.name}{{model="m",status="hit"}}'
_MISS = f'{table.CACHE_REQUESTS.name}{{model="m",status="miss"}}'
_RESTARTS = f"{table.WORKER_RESTARTS.name}{{{_MODEL}}}"
_PROGRESS = f"{table.LAST_PROGRESS.name}{{{_MODEL}}}"
_KV = f"{table.KV_CACHE_USAGE.name}{{{_MODEL}}}"
_WAITING, _LIMIT = (f"{metric.name}{{{_MODEL}}}" for metric in (table.MODEL_WAITING, table.QUEUE_LIMIT))
_READY, _FAILED = (f'{table.MODEL_STATE.name}{{{_MODEL},state="{state}"}}' for state in ("ready", "failed"))
_CUT = f'{table.REQUESTS.name}{{{_MODEL},{_ROUTE},outcome="stream_error"}}'
_STORE = f'{table.STORE_OPEN.name}{{purpose="cache"}}'
_XIDS = f'{table.GPU_XID_ERRORS.name}{{gpu="0"}}'
_DROPPED = f"{table.LOG_RECORDS_DROPPED.name}{{}}"
_LOST = f'{table.WEBHOOK_DELIVERIES.name}{{receiver="1 hooks.example",result="given_up"}}'
_NACKS, _WAITS, _LEFT_OUT, _FOLDED = (
    f"{metric.name}{{}}"
    for metric in (table.GATEWAY_REJECTIONS, table.ROLLOUT_WAITING_SINCE, table.MODELS_LEFT_OUT, table.SERIES_DROPPED)
)
_HISTOGRAMS = (table.REQUEST_DURATION, table.TIME_TO_FIRST_TOKEN, table.TIME_PER_OUTPUT_TOKEN)

Spans = dict[str, list[tuple[float, float]]]
"""By alert: from when to when it fired, in seconds since the beginning."""


@dataclass
class Story:
    """A server's life. Each second ``happens`` moves the counters and gauges; ``away`` is when it does not answer."""

    seconds: int
    happens: Callable[[int, dict[str, float]], None]
    away: range = range(0)
    values: dict[str, float] = field(default_factory=dict)

    def tell(self) -> list[dict[str, float] | None]:
        """What the page says in each second; None: there is no page."""
        now = dict.fromkeys((_OK, _BAD, _HIT, _MISS, _RESTARTS, _KV, _WAITING), 0.0)
        now |= dict.fromkeys((_CUT, _FAILED, _STORE, _XIDS, _DROPPED, _LOST, _NACKS, _LEFT_OUT, _FOLDED), 0.0)
        now |= {_LIMIT: 100.0, _READY: 1.0, **dict.fromkeys(_buckets(*_HISTOGRAMS), 0.0)}
        now |= dict.fromkeys(_buckets(table.REQUEST_DURATION, outcome_class="bad"), 0.0)
        told: list[dict[str, float] | None] = []
        for second in range(self.seconds):
            now[_PROGRESS] = now[_WAITS] = float(second)
            self.happens(second, now)
            told.append(None if second in self.away else dict(now))
        return told


def _buckets(*metrics: Metric, outcome_class: str = "ok") -> dict[str, float]:
    """Series of histograms, by upper bound."""
    found: dict[str, float] = {}
    for metric in metrics:
        at = _MODEL
        if metric is table.REQUEST_DURATION:
            at += f',{_ROUTE},outcome_class="{outcome_class}"'
        found |= {f'{metric.bucket}{{{at},le="{float(edge)}"}}': float(edge) for edge in metric.buckets}
        found |= dict.fromkeys((f'{metric.bucket}{{{at},le="+Inf"}}', f"{metric.name}_count{{{at}}}"), float("inf"))
    return found


def ended(now: dict[str, float], *, ok: float, bad: float = 0.0, lasting: float = 0.1) -> None:
    """Requests of one second."""
    now[_OK] += ok
    now[_BAD] += bad
    observed(now, table.REQUEST_DURATION, ok, lasting)
    observed(now, table.REQUEST_DURATION, bad, 0.001, "bad")


def observed(now: dict[str, float], metric: Metric, count: float, lasting: float, outcome_class: str = "ok") -> None:
    """So many values of a histogram."""
    for series, bound in _buckets(metric, outcome_class=outcome_class).items():
        now[series] += count if lasting <= bound else 0.0


def errors(second: int, now: dict[str, float]) -> None:
    """Ten minutes well, eight with many failures, then well again."""
    failing = 600 <= second < 1080
    ended(now, ok=6 if failing else 10, bad=4 if failing else 0)
    now[_HIT] += 9
    now[_MISS] += 1


def troubles(second: int, now: dict[str, float]) -> None:
    """One after the other: slow answers, a cache that is cold, a full KV cache and queue, restarts, a stall."""
    ended(now, ok=5, lasting=9.0 if 300 <= second < 1000 else 0.1)
    hits = 1 if second < 1500 else 9
    now[_HIT] += hits
    now[_MISS] += 10 - hits
    now[_KV] = 0.99 if 400 <= second < 1300 else 0.2
    now[_WAITING] = 100.0 if 500 <= second < 700 else 3.0
    now[_RESTARTS] += second in {200, 260, 320, 380}
    now[_PROGRESS] = 1600.0 if 1600 <= second < 1640 else float(second)


def more_troubles(second: int, now: dict[str, float]) -> None:
    """Streams that break, tokens that come late, and what servers and the controller tell of themselves."""
    is_cut = 300 <= second < 700
    ended(now, ok=49 if is_cut else 50)
    now[_CUT] += is_cut
    observed(now, table.TIME_TO_FIRST_TOKEN, 5, 9.0 if 300 <= second < 1000 else 0.1)
    observed(now, table.TIME_PER_OUTPUT_TOKEN, 5, 2.0 if 400 <= second < 1100 else 0.01)
    now[_HIT] += 9
    now[_MISS] += 1
    now[_FAILED] = float(500 <= second < 700)
    now[_STORE] = float(600 <= second < 800)
    now[_LEFT_OUT] = 2.0 if second < 400 else 0.0
    now[_XIDS] += second == 200
    now[_DROPPED] += second == 250
    now[_FOLDED] += second in {250, 260}
    now[_LOST] += second == 350
    now[_NACKS] += second in {900, 910}
    now[_WAITS] = 300.0 if 300 <= second < 1400 else float(second)


def refusals(_: int, now: dict[str, float]) -> None:
    """Nineteen of twenty requests are refused at once, and the others take ten seconds."""
    ended(now, ok=1, bad=19, lasting=10.0)


def little(second: int, now: dict[str, float]) -> None:
    """Everything fails, but hardly anybody asks."""
    ended(now, ok=0, bad=float(second % 60 == 0 and second < 900))


def well(_: int, now: dict[str, float]) -> None:
    """Nothing is wrong but that it goes away, as the story says."""
    ended(now, ok=5)
    now[_HIT] += 9
    now[_MISS] += 1


def meaning(name: str, labels: Mapping[str, str]) -> tuple[Key, ...]:
    """Of a page that a replica and a controller share."""
    return of_replica("blue", name, labels) or of_controller(name, labels)


def embedded(pages: list[dict[str, float] | None]) -> Spans:
    """What the monitor finds."""
    clock, page = Clock(0.5), dict[str, float]()
    current: list[dict[str, float] | None] = [page]
    catalog = catalog_of(["blue"], ["m"])

    async def fetch() -> bytes:
        if current[0] is None:
            raise ScrapeRefused(500)
        return "".join(f"{series} {value}\n" for series, value in current[0].items()).encode()

    target = Target(
        "blue-1", "blue", "http://x", fetch, meaning, catalog,
        clock=clock, wall_clock=lambda: clock.now - 0.5,
    )  # fmt: skip
    book = AlertBook(rules_of(Settings().monitor))
    monitor = Monitor([target], catalog, book, clock=clock, wall_clock=clock)
    seen: dict[str, list[int]] = defaultdict(list)

    async def live() -> None:
        for second, told in enumerate(pages):
            clock.now, current[0] = second + 0.5, told
            await monitor.round()
            for episode in book.firing:
                seen[episode.alert.rule].append(second)

    asyncio.run(live())
    return {rule: _spans(seconds, 1) for rule, seconds in seen.items()}


def by_prometheus(pages: list[dict[str, float] | None], folder: Path) -> Spans:
    """What promtool finds: every expectation is wrong on purpose, so that it says what it got."""
    samples = pages[::INTERVAL]
    names = {name: None for told in samples if told for name in told}
    series = {name: " ".join("_" if told is None else f"{told[name]:g}" for told in samples) for name in names}
    labelled = {_at_instance(name): values for name, values in series.items()}
    labelled['up{job="podium",instance="blue-1"}'] = " ".join("0" if told is None else "1" for told in samples)
    rules, tests = folder / "rules.yml", folder / "tests.yml"
    content = rule_file(Settings())
    rules.write_text(yaml.safe_dump(content))
    both = "|".join(rule.name for rule in rules_of(Settings().monitor))
    query = f'count by (alertname) (ALERTS{{alertstate="firing",alertname=~"{both}"}})'
    wrong = [{"labels": '{alertname="none"}', "value": 1}]
    test = {
        "interval": f"{INTERVAL}s",
        "input_series": [{"series": name, "values": values} for name, values in labelled.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": f"{number * INTERVAL}s", "exp_samples": wrong}
            for number in range(len(samples))
        ],
    }
    run = {"rule_files": [rules.name], "evaluation_interval": f"{INTERVAL}s", "tests": [test]}
    run["group_eval_order"] = [group["name"] for group in content["groups"]]  # else any, another each time
    tests.write_text(yaml.safe_dump(run))
    words = [require_program("promtool"), "test", "rules", str(tests)]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=110)
    answers = re.findall(r"time: (\S+),\s+exp: [^\n]*\n\s+got: ([^\n]*)", told.stdout + told.stderr)
    assert len(answers) == len(samples), told.stderr[:2000]
    seen: dict[str, list[int]] = defaultdict(list)
    for moment, got in answers:
        for rule in re.findall(r'alertname="(\w+)"', got):
            seen[rule].append(_seconds(moment))
    return {rule: _spans(seconds, INTERVAL) for rule, seconds in seen.items()}


def _at_instance(name: str) -> str:
    return name.replace("{", '{instance="blue-1",job="podium",', 1)


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", text))


def _spans(seconds: list[int], step: int) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for second in sorted(set(seconds)):
        if found and second - found[-1][1] <= step:
            found[-1] = (found[-1][0], second)
        else:
            found.append((second, second))
    return found


STORIES: Mapping[str, tuple[Story, set[str]]] = {
    "errors": (Story(2100, errors), {"HighErrorRate", "ErrorBudgetBurn1h", "ErrorBudgetBurn6h", "ErrorBudgetBurn24h"}),
    "troubles": (
        Story(2100, troubles),
        {"HighLatencyP95", "CacheHitRateLow", "KvCacheFull", "QueueSaturated", "WorkerRestarting", "EngineStalled"},
    ),
    "more troubles": (
        Story(2100, more_troubles),
        {
            "StreamErrors",
            "HighTtftP95",
            "HighTpotP95",
            "ModelLoadFailed",
            "StoreAway",
            "ModelsWithoutHistory",
            "SeriesDropped",
            "GpuXid",
            "LogDrops",
            "WebhookFailing",
            "GatewayConfigRejected",
            "RolloutStuck",
        },
    ),
    "quick refusals hide no slow answer": (
        Story(600, refusals),
        {"HighLatencyP95", "HighErrorRate", "ErrorBudgetBurn1h", "ErrorBudgetBurn6h", "ErrorBudgetBurn24h"},
    ),
    "little traffic": (Story(1200, little), set()),
    "away": (Story(900, well, away=range(300, 400)), {"ReplicaDown"}),
}


@pytest.mark.parametrize("name", STORIES)
def test_both_fire_the_same_alerts_within_one_evaluation(name: str, tmp_path: Path) -> None:
    story, expected = STORIES[name]
    pages = story.tell()
    ours, theirs = embedded(pages), by_prometheus(pages, tmp_path)
    assert set(ours) == expected
    assert set(theirs) == expected
    for rule in expected:
        assert len(ours[rule]) == len(theirs[rule]), (rule, ours[rule], theirs[rule])
        for mine, other in zip(ours[rule], theirs[rule], strict=True):
            apart = max(abs(mine[0] - other[0]), abs(mine[1] - other[1]))
            assert apart <= INTERVAL, (rule, mine, other)


def test_every_rule_is_in_a_story() -> None:
    told = set().union(*(expected for _, expected in STORIES.values()))
    assert told == {rule.name for rule in rules_of(Settings().monitor)} - NO_TWIN_HERE
