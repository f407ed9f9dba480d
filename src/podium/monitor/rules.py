"""The rules: what is looked at, over which window, for how long, and when there is too little to say anything.

Windows and guards are those that the alerts' Prometheus twins have; thresholds come from the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from podium.config.monitor import Monitor as Thresholds
from podium.monitor.catalog import Key
from podium.monitor.windows import Windows, everything

RECENT_SECONDS = 300
"""The window of error rates, latencies and levels."""
CACHE_SECONDS = 900
RETRY_SECONDS = 60
RESTART_SECONDS = 900
MOST_RESTARTS = 2
MOST_QUEUE_RATIO = 0.9

Severity = Literal["page", "ticket"]
Finding = Literal["broken", "fine", "too little", "no data"]
"""``too little``: not enough requests to judge, which is fine. ``no data``: nothing can be told, which is not."""


class Watched(Protocol):
    """A scraped target, as the rules see it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def state(self) -> str:
        """``up`` while it answers."""

    @property
    def problem(self) -> str:
        """What is wrong with it."""


@dataclass(frozen=True)
class Reading:
    """What a rule found out about one subject. ``value`` is in the rule's own unit."""

    subject: str
    finding: Finding
    sentence: str
    value: float | None = None


@dataclass(frozen=True)
class Rule:
    """One alert. It fires when the finding is ``broken`` for ``for_seconds``, and ends ``keep_seconds`` after it."""

    name: str
    severity: Severity
    read: Callable[[Windows, Sequence[Watched]], Iterable[Reading]]
    for_seconds: float = 0.0
    keep_seconds: float = 0.0


def rules_of(given: Thresholds) -> tuple[Rule, ...]:
    """Every rule, with the thresholds that are configured."""
    return (
        Rule("HighErrorRate", "page", lambda w, _: _error_rates(w, given), for_seconds=120, keep_seconds=300),
        Rule("HighLatencyP95", "page", lambda w, _: _latencies(w, given), for_seconds=300, keep_seconds=300),
        Rule("GpuMemoryHigh", "ticket", lambda w, _: _gpu_memory(w, given), for_seconds=300),
        Rule("CacheHitRateLow", "ticket", lambda w, _: _hit_rates(w, given), for_seconds=900),
        Rule("ReplicaDown", "page", lambda _, targets: _targets(targets), for_seconds=given.down_seconds),
        Rule("EngineStalled", "page", lambda w, _: _stalls(w, given)),
        Rule("KvCacheFull", "ticket", lambda w, _: _kv_caches(w, given), for_seconds=300),
        Rule("QueueSaturated", "ticket", lambda w, _: _queues(w), for_seconds=60),
        Rule("WorkerRestarting", "page", lambda w, _: _restarts(w)),
        Rule("RetryOverflow", "page", lambda w, _: _retries(w), keep_seconds=60),
        *(_burn_rule(given, burn) for burn in BURNS),
    )


@dataclass(frozen=True)
class Burn:
    """One row of the table of burn rates (Google's SRE workbook, chapter 5; the ticket row is Sloth's)."""

    severity: Severity
    factor: float
    long_seconds: int
    short_seconds: int

    @property
    def name(self) -> str:
        """The alert's name."""
        return f"ErrorBudgetBurn{self.long_seconds // 3600}h"


BURNS = (Burn("page", 14.4, 3600, 300), Burn("page", 6.0, 21600, 1800), Burn("ticket", 3.0, 86400, 7200))


def _burn_rule(given: Thresholds, burn: Burn) -> Rule:
    return Rule(burn.name, burn.severity, lambda w, _: _burns(w, given, burn), keep_seconds=60)


def _error_rates(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        bad, good = Key("model", model, "bad"), Key("model", model, "good")
        rate, count = windows.share(bad, [good], RECENT_SECONDS)
        known = windows.increase(bad, RECENT_SECONDS) is not None
        limit = f"at most {given.max_error_rate:.1%} are wanted"
        told = f"{rate or 0:.1%} of {count:.0f} requests in 5 minutes were bad; {limit}"
        yield _judged(model, rate, rate is not None and rate > given.max_error_rate, told,
                      known=known, count=count, least=given.min_requests, thing="requests in 5 minutes")  # fmt: skip


def _latencies(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        p95, count = windows.quantile(0.95, model, "e2e_seconds", RECENT_SECONDS)
        known = windows.increase(Key("model", model, "good"), RECENT_SECONDS) is not None
        limit = f"at most {given.max_p95_seconds:g} s are wanted"
        told = f"the 95th percentile of {count:.0f} requests in 5 minutes is {p95 or 0:.3g} s; {limit}"
        yield _judged(model, p95, p95 is not None and p95 > given.max_p95_seconds, told,
                      known=known, count=count, least=given.min_requests, thing="requests in 5 minutes")  # fmt: skip


def _hit_rates(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        hits, misses = Key("model", model, "cache_hits"), Key("model", model, "cache_misses")
        rate, count = windows.share(hits, [misses], CACHE_SECONDS)
        known = windows.increase(hits, CACHE_SECONDS) is not None
        limit = f"at least {given.min_cache_hit_rate:.1%} are wanted"
        told = f"{rate or 0:.1%} of {count:.0f} cacheable requests in 15 minutes had a kept answer; {limit}"
        yield _judged(model, rate, rate is not None and rate < given.min_cache_hit_rate, told,
                      known=known, count=count, least=given.min_cacheable_requests,
                      thing="cacheable requests in 15 minutes")  # fmt: skip


def _gpu_memory(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    used, size = (
        windows.lowest(everything("gpu_used_bytes"), RECENT_SECONDS),
        windows.latest(everything("gpu_size_bytes")),
    )
    if used is None or not size:
        yield Reading("gpu", "no data", "no server reports the memory of a GPU")
        return
    ratio = used / size
    limit = given.max_gpu_memory_ratio
    told = f"never less than {ratio:.1%} of GPU memory was in use for 5 minutes; {limit:.0%} is the limit"
    yield Reading("gpu", "broken" if ratio > limit else "fine", told, ratio)


def _kv_caches(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        ratio = windows.lowest(Key("model", model, "kv_ratio"), RECENT_SECONDS)
        told = f"never less than {ratio or 0:.1%} of the KV cache was in use for 5 minutes"
        if ratio is None:
            yield Reading(model, "no data", "it was known for less than half of the last 5 minutes")
        else:
            yield _judged(model, ratio, ratio > given.max_kv_cache_ratio, told, known=True)


def _stalls(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        seconds = windows.latest(Key("model", model, "stalled_seconds"))
        told = f"the engine has work and has made no step for {seconds or 0:.0f} s"
        broken = seconds is not None and seconds > given.stalled_seconds
        yield _judged(model, seconds, broken, told if broken else "the engine makes progress, or has nothing to do",
                      known=seconds is not None)  # fmt: skip


def _queues(windows: Windows) -> Iterator[Reading]:
    for model in windows.catalog.models:
        waiting, limit = (windows.latest(Key("model", model, figure)) for figure in ("waiting", "queue_limit"))
        if waiting is None or not limit:
            yield Reading(model, "no data", "its queue is not known, or it has none")
            continue
        told = f"{waiting:.0f} requests wait; with {limit:.0f} the next one is refused"
        yield _judged(model, waiting / limit, waiting / limit > MOST_QUEUE_RATIO, told, known=True)


def _restarts(windows: Windows) -> Iterator[Reading]:
    for model in windows.catalog.models:
        count = windows.increase(Key("model", model, "worker_restarts"), RESTART_SECONDS)
        told = f"its worker was replaced {count or 0:.0f} times in 15 minutes; {MOST_RESTARTS} are the limit"
        yield _judged(model, count, (count or 0) > MOST_RESTARTS, told, known=count is not None)


def _retries(windows: Windows) -> Iterator[Reading]:
    count = windows.increase(everything("retry_overflow"), RETRY_SECONDS)
    told = f"{count or 0:.0f} failed requests in a minute were not tried again: too many retries ran at once"
    yield _judged("gateway", count, bool(count), told, known=count is not None)


def _targets(targets: Sequence[Watched]) -> Iterator[Reading]:
    for target in targets:
        finding: Finding = "no data" if target.state == "unknown" else "fine" if target.state == "up" else "broken"
        yield Reading(target.name, finding, target.problem or "it answers", float(target.state == "up"))


def _burns(windows: Windows, given: Thresholds, burn: Burn) -> Iterator[Reading]:
    """Both windows burn: the long one says that it matters, the short one that it goes on."""
    bad, good = everything("bad"), everything("good")
    (long, count), (short, _) = (windows.share(bad, [good], span) for span in (burn.long_seconds, burn.short_seconds))
    budget = 1 - given.objective
    rate = None if long is None else long / budget
    broken = rate is not None and rate > burn.factor and (short or 0.0) / budget > burn.factor
    told = f"the error budget burns {rate or 0:.1f} times as fast as it may; {burn.factor:g} times is the limit"
    known = windows.increase(bad, burn.long_seconds) is not None
    yield _judged("availability", rate, broken, told, known=known, count=count, least=given.min_requests,
                  thing=f"requests in {burn.long_seconds // 3600} h")  # fmt: skip


def _judged(  # noqa: PLR0913 - a judgement and its guards, by name
    subject: str, value: float | None, broken: bool, told: str, *, known: bool,  # noqa: FBT001 - the finding itself
    count: float = 0.0, least: float = 0.0, thing: str = "",
) -> Reading:  # fmt: skip
    if not known:
        return Reading(subject, "no data", "nothing was learnt in the window")
    if count < least:
        return Reading(subject, "too little", f"{count:.0f} {thing}; fewer than {least:.0f} say nothing", value)
    return Reading(subject, "broken" if broken else "fine", told, value)
