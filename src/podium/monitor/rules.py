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
HEALTHY_SECONDS = 3000
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
    """One alert. It fires when the finding is ``broken`` for ``for_seconds``, and ends ``keep_seconds`` after it.

    ``window_seconds``: how far it looks back. For so long after a start it cannot say that anything is over.
    """

    name: str
    severity: Severity
    read: Callable[[Windows, Sequence[Watched]], Iterable[Reading]]
    for_seconds: float = 0.0
    keep_seconds: float = 0.0
    window_seconds: float = 0.0


def rules_of(given: Thresholds) -> tuple[Rule, ...]:
    """Every rule, with the thresholds that are configured."""
    burns = [_burn_rule(given, burn) for burn in BURNS]
    return (*_of_requests(given), *_of_engines(given), *_of_the_plane(given), *burns)


def _of_requests(given: Thresholds) -> tuple[Rule, ...]:
    held, recent = {"for_seconds": 120, "keep_seconds": 300}, {"window_seconds": RECENT_SECONDS}
    slow = {"for_seconds": 300, "keep_seconds": 300, **recent}
    return (
        Rule("HighErrorRate", "page", lambda w, _: _error_rates(w, given), **held, **recent),
        Rule("StreamErrors", "page", lambda w, _: _stream_errors(w, given), **held, **recent),
        Rule("HighLatencyP95", "page", lambda w, _: _slow(w, given, END_TO_END), **slow),
        Rule("HighTtftP95", "ticket", lambda w, _: _slow(w, given, FIRST_TOKEN), **slow),
        Rule("HighTpotP95", "ticket", lambda w, _: _slow(w, given, EACH_TOKEN), **slow),
        Rule("CacheHitRateLow", "ticket", lambda w, _: _hit_rates(w, given), 900, window_seconds=CACHE_SECONDS),
    )


def _of_engines(given: Thresholds) -> tuple[Rule, ...]:
    return (
        Rule("ReplicaDown", "page", lambda _, targets: _targets(targets), given.down_seconds),
        Rule("EngineStalled", "page", lambda w, _: _stalls(w, given)),
        Rule("ModelLoadFailed", "page", lambda w, _: _failed_loads(w), 60),
        Rule("WorkerRestarting", "page", lambda w, _: _restarts(w), window_seconds=RESTART_SECONDS),
        Rule("QueueSaturated", "ticket", lambda w, _: _queues(w), 60),
        Rule("KvCacheFull", "ticket", lambda w, _: _kv_caches(w, given), 300, window_seconds=RECENT_SECONDS),
        Rule("GpuMemoryHigh", "ticket", lambda w, _: _gpu_memory(w, given), 300, window_seconds=RECENT_SECONDS),
        Rule("GpuXid", "page", lambda w, _: _counted(w, XIDS), window_seconds=XIDS.seconds),
        Rule("LogDrops", "ticket", lambda w, _: _counted(w, LOG_DROPS), window_seconds=LOG_DROPS.seconds),
        Rule("StoreAway", "page", lambda w, _: _store(w), 60),
        Rule("SeriesDropped", "ticket", lambda w, _: _counted(w, FOLDED), window_seconds=FOLDED.seconds),
    )


def _of_the_plane(given: Thresholds) -> tuple[Rule, ...]:
    """What the gateway and the controller tell of themselves."""
    return (
        Rule("RetryOverflow", "page", lambda w, _: _retries(w), keep_seconds=60, window_seconds=RETRY_SECONDS),
        Rule(
            "NoHealthyServer", "page", lambda w, _: _unanswered(w, given), keep_seconds=60, window_seconds=RETRY_SECONDS
        ),
        Rule("GatewayConfigRejected", "ticket", lambda w, _: _counted(w, NACKS), window_seconds=NACKS.seconds),
        Rule("RolloutStuck", "ticket", lambda w, _: _rollout(w, given)),
        Rule("WebhookFailing", "ticket", lambda w, _: _counted(w, LOST_MESSAGES), window_seconds=LOST_MESSAGES.seconds),
        Rule("ModelsWithoutHistory", "ticket", lambda w, _: _models_without_history(w)),
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
    seconds = burn.short_seconds
    return Rule(burn.name, burn.severity, lambda w, _: _burns(w, given, burn), keep_seconds=60, window_seconds=seconds)


def _error_rates(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        bad, good = Key("model", model, "bad"), Key("model", model, "good")
        rate, count = windows.share(bad, [good], RECENT_SECONDS)
        known = windows.increase(bad, RECENT_SECONDS) is not None
        limit = f"at most {given.max_error_rate:.1%} are wanted"
        told = f"{rate or 0:.1%} of {count:.0f} requests in 5 minutes were bad; {limit}"
        yield _judged(model, rate, rate is not None and rate > given.max_error_rate, told,
                      known=known, count=count, least=given.min_requests, thing="requests in 5 minutes")  # fmt: skip


@dataclass(frozen=True)
class Slow:
    """A percentile that has a limit: of which histogram, in whose words, and the setting that limits it."""

    figure: str
    words: str
    setting: str


END_TO_END = Slow("e2e_seconds", "from arrival to end", "max_p95_seconds")
FIRST_TOKEN = Slow("ttft_seconds", "to the first token", "max_ttft_p95_seconds")
EACH_TOKEN = Slow("inter_token_seconds", "per output token", "max_tpot_p95_seconds")


def _slow(windows: Windows, given: Thresholds, slow: Slow) -> Iterator[Reading]:
    wanted = float(getattr(given, slow.setting))
    for model in windows.catalog.models:
        p95, count = windows.quantile(0.95, model, slow.figure, RECENT_SECONDS)
        known = windows.increase(Key("model", model, "good"), RECENT_SECONDS) is not None
        limit = f"at most {wanted:g} s are wanted"
        told = f"the 95th percentile {slow.words} of {count:.0f} requests in 5 minutes is {p95 or 0:.3g} s; {limit}"
        yield _judged(model, p95, p95 is not None and p95 > wanted, told,
                      known=known, count=count, least=given.min_requests, thing="requests in 5 minutes")  # fmt: skip


def _stream_errors(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    for model in windows.catalog.models:
        broken, good, bad = (Key("model", model, figure) for figure in ("stream_errors", "good", "bad"))
        count = sum(windows.increase(key, RECENT_SECONDS) or 0.0 for key in (good, bad))
        cut = windows.increase(broken, RECENT_SECONDS)
        rate = None if cut is None or count <= 0 else cut / count
        limit = f"at most {given.max_stream_error_rate:.1%} are wanted"
        told = f"{rate or 0:.1%} of {count:.0f} requests in 5 minutes broke after their first byte; {limit}"
        yield _judged(model, rate, rate is not None and rate > given.max_stream_error_rate, told,
                      known=cut is not None, count=count, least=given.min_requests,
                      thing="requests in 5 minutes")  # fmt: skip


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


def _failed_loads(windows: Windows) -> Iterator[Reading]:
    for model in windows.catalog.models:
        failed = windows.latest(Key("model", model, "failed"))
        told = f"it could not be loaded on {failed or 0:.0f} replicas"
        yield _judged(model, failed, bool(failed), told if failed else "it is loaded, or nobody wants it",
                      known=failed is not None)  # fmt: skip


def _store(windows: Windows) -> Iterator[Reading]:
    away = windows.latest(everything("store_open"))
    told = "the shared store fails, and is not asked for a while: quotas are local shares, and the cache misses"
    yield _judged("store", away, bool(away), told if away else "it answers", known=away is not None)


def _retries(windows: Windows) -> Iterator[Reading]:
    count = windows.increase(everything("retry_overflow"), RETRY_SECONDS)
    told = f"{count or 0:.0f} failed requests in a minute were not tried again: too many retries ran at once"
    yield _judged("gateway", count, bool(count), told, known=count is not None)


def _unanswered(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    """What came before a server was healthy for the first time is a start, whose own probes are among it."""
    count = windows.increase(everything("unanswered"), RETRY_SECONDS)
    keys = [Key("environment", name, "healthy") for name in windows.catalog.environments]
    if count is not None and not any(windows.highest(key, HEALTHY_SECONDS, before=RETRY_SECONDS) for key in keys):
        yield Reading("gateway", "too little", "no server has been healthy for a minute yet", count)
        return
    limit = f"{given.max_unanswered_requests} are the limit"
    told = f"the gateway answered {count or 0:.0f} requests in a minute itself, because no server was healthy; {limit}"
    yield _judged("gateway", count, (count or 0) > given.max_unanswered_requests, told, known=count is not None)


@dataclass(frozen=True)
class Never:
    """Something that should never happen at all: a counter of everything, and the words for its increase."""

    figure: str
    seconds: int
    subject: str
    told: str


XIDS = Never("gpu_xid_errors", 900, "gpu", "the driver told of {count:.0f} critical errors (XID) in 15 minutes")
LOG_DROPS = Never(
    "log_records_dropped", 300, "logs", "servers dropped {count:.0f} log records in 5 minutes: nobody reads them"
)
NACKS = Never(
    "rejections", 300, "gateway",
    "a gateway refused {count:.0f} configurations in 5 minutes, and goes on with the one before",
)  # fmt: skip
LOST_MESSAGES = Never("messages_lost", 900, "alerts", "{count:.0f} messages about alerts were not taken in 15 minutes")
FOLDED = Never(
    "series_dropped", 900, "servers",
    "servers counted a version as `other` {count:.0f} times in 15 minutes: more than 64 versions are known there",
)  # fmt: skip


def _counted(windows: Windows, never: Never) -> Iterator[Reading]:
    count = windows.increase(everything(never.figure), never.seconds)
    told = never.told.format(count=count or 0)
    yield _judged(never.subject, count, bool(count), told, known=count is not None)


def _rollout(windows: Windows, given: Thresholds) -> Iterator[Reading]:
    waits = windows.latest(everything("rollout_waiting_seconds"))
    stuck = waits is not None and waits > given.rollout_waiting_seconds
    told = f"it has waited for {(waits or 0) / 60:.0f} minutes: for somebody to approve or abort it, or for the gateway"
    yield _judged("rollout", waits, stuck, told if stuck else "none waits for long", known=waits is not None)


def _models_without_history(windows: Windows) -> Iterator[Reading]:
    count = windows.latest(everything("models_left_out"))
    told = f"the series of {count or 0:.0f} models find no room in the monitor's memory: their alerts are not judged"
    yield _judged("monitor", count, bool(count), told if count else "every model has room", known=count is not None)


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
