"""Figures out of records, by the definitions of the documentation and nothing else. Exact: no sketches, no buckets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from podium.bench.plan import RunPlan
from podium.bench.record import Outcome, RequestRecord
from podium.bench.statistics import distribution, same_arrivals, slope
from podium.bench.summary import Counts, Distribution, Goodput, Load, Summary, Window

DRIFT_SHARE = 0.25  # of the mean; a trend that moves less over the window is none
LEAST_DRIFT_REQUESTS = 1.0  # nor is one that moves less than a request, or a millisecond
LEAST_DRIFT_SECONDS = 0.001


def counts_of(records: Iterable[RequestRecord]) -> Counts:
    """Every request once."""
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for record in records:
        outcomes["warm_up" if record.warm_up else record.outcome.value] += 1
        if record.failure is not None and not record.warm_up:
            failures[record.failure.value] += 1
    names = [outcome.value for outcome in Outcome]
    return Counts(
        offered=sum(outcomes[name] for name in names),
        warm_up=outcomes["warm_up"],
        failures=dict(sorted(failures.items())),
        **{name: outcomes[name] for name in names},
    )


def summarise(records: Sequence[RequestRecord], plan: RunPlan) -> Summary | None:
    """All headline figures of a run; None when no request was offered after the warm-up."""
    offered = [record for record in records if not record.warm_up]
    if not offered:
        return None
    window = window_of(records, plan)
    inside = [record for record in offered if window.begin <= record.scheduled_at < window.end]
    ok = [record for record in inside if record.outcome is Outcome.OK]
    ended = [r.ended_at for r in records if r.outcome is Outcome.OK and _in(r.ended_at, window)]
    tokens = sum(tokens_within(record, window) for record in records)
    prompts = sum(record.prompt_tokens_reported or 0 for record in records if _in(_answer_at(record), window))
    return Summary(
        window=window,
        counts=counts_of(inside),
        load=load_of(inside, window, plan, records),
        request_throughput=_rate(ended),
        completed_per_second=len(ended) / window.seconds if window.seconds else 0.0,
        output_throughput=tokens / window.seconds if window.seconds else 0.0,
        prompt_throughput=prompts / window.seconds if window.seconds else 0.0,
        schedule_delay=_of(r.since_scheduled(r.begun_at) for r in inside),
        ttft_scheduled=_of(r.since_scheduled(r.first_token_at) for r in ok),
        ttft_sent=_of(r.since_sent(r.first_token_at) for r in ok),
        ttfo_scheduled=_of(r.since_scheduled(r.first_output_at) for r in ok),
        e2e_scheduled=_of(r.since_scheduled(r.last_token_at) for r in ok),
        e2e_sent=_of(r.since_sent(r.last_token_at) for r in ok),
        itl=distribution(np.concatenate([np.diff(r.token_at) for r in ok]) if ok else []),
        tpot=_of(tpot(r) for r in ok),
        ntpot=_of(ntpot(r) for r in ok),
        output_tokens=_of(r.output_tokens for r in ok),
        prompt_tokens=_of(r.prompt_tokens_reported for r in ok),
        tokens_per_frame=_of(r.output_tokens / r.frames for r in ok if r.output_tokens and r.frames),
        goodput=goodput_of(inside, window, plan.objectives) if plan.objectives else None,
    )


def tpot(record: RequestRecord) -> float | None:
    """Seconds per output token after the first; None for one token or less."""
    tokens = record.output_tokens
    if tokens is None or tokens <= 1 or record.first_token_at is None or record.last_token_at is None:
        return None
    return (record.last_token_at - record.first_token_at) / (tokens - 1)


def ntpot(record: RequestRecord) -> float | None:
    """Seconds from sent to the last token, per output token."""
    end_to_end = record.since_sent(record.last_token_at)
    return end_to_end / record.output_tokens if end_to_end is not None and record.output_tokens else None


def is_good(record: RequestRecord, objectives: dict[str, float]) -> bool:
    """Whether a request succeeded and kept every objective, counted from its scheduled time."""
    if record.outcome is not Outcome.OK:
        return False
    gaps = np.diff(record.token_at)
    seen = {
        "ttft": record.since_scheduled(record.first_token_at),
        "e2e": record.since_scheduled(record.last_token_at),
        "tpot": tpot(record),
        "itl": float(gaps.max()) if len(gaps) else None,
    }
    return all(value is None or value <= objectives[name] for name, value in seen.items() if name in objectives)


def goodput_of(inside: Sequence[RequestRecord], window: Window, objectives: dict[str, float]) -> Goodput:
    """Good requests of all that were offered in the window."""
    good = sum(is_good(record, objectives) for record in inside)
    per_second = good / window.seconds if window.seconds else 0.0
    return Goodput(objectives=objectives, good=good, offered=len(inside), per_second=per_second)


def window_of(records: Sequence[RequestRecord], plan: RunPlan) -> Window:
    """From the end of the warm-up to the end of the load, with the trends in it. The drain is left out."""
    offered = [record for record in records if not record.warm_up]
    begin = plan.warm_up_seconds
    end = begin + plan.load.seconds
    if plan.load.kind in {"trace", "stages"} or plan.load.most_requests is not None:
        end = max(record.scheduled_at for record in offered) + 1e-6
    ttft = [(r.scheduled_at, r.since_scheduled(_answer_at(r))) for r in offered]
    known = np.array([(at, value) for at, value in ttft if value is not None and begin <= at < end])
    seconds, in_flight = in_flight_series(records, begin, end)
    flight_slope = slope(seconds, in_flight)
    ttft_slope = slope(known[:, 0], known[:, 1]) if len(known) else None
    stationary: bool | None = None
    if flight_slope is not None and ttft_slope is not None and plan.load.kind not in CHANGING:
        least_in_flight = max(LEAST_DRIFT_REQUESTS, DRIFT_SHARE * float(in_flight.mean()))
        least_ttft = max(LEAST_DRIFT_SECONDS, DRIFT_SHARE * float(known[:, 1].mean()))
        seconds_long = end - begin
        stationary = not (
            _drifts(flight_slope, seconds_long, least_in_flight) or _drifts(ttft_slope, seconds_long, least_ttft)
        )
    return Window(begin=begin, end=end, stationary=stationary, in_flight_slope=flight_slope, ttft_slope=ttft_slope)


CHANGING = frozenset({"ramp", "stages", "spike", "trace"})  # loads that are not meant to stand still


def _drifts(found: tuple[float, float, float], seconds: float, least: float) -> bool:
    """Whether the interval of the slope leaves out 0 and the trend is worth the name."""
    low, estimate, high = found
    return (low > 0 or high < 0) and abs(estimate) * seconds > least


def in_flight_series(
    records: Sequence[RequestRecord], begin: float, end: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Requests in flight at a hundred or more moments in [begin, end)."""
    begun = np.sort([r.begun_at for r in records if r.begun_at is not None])
    ended = np.sort([r.ended_at for r in records if r.ended_at is not None])
    moments = np.linspace(begin, end, max(100, int(end - begin)), endpoint=False)
    inside = np.searchsorted(begun, moments, side="right") - np.searchsorted(ended, moments, side="right")
    return moments, inside.astype(np.float64)


def load_of(inside: Sequence[RequestRecord], window: Window, plan: RunPlan, records: Sequence[RequestRecord]) -> Load:
    """What was asked and what was delivered in the window."""
    _, in_flight = in_flight_series(records, window.begin, window.end)
    seen = {"peak_in_flight": int(in_flight.max()), "mean_in_flight": float(in_flight.mean())}
    if not plan.load.open_loop or not window.seconds:
        return Load(**seen)  # type: ignore[arg-type]  # an int and a float by their names
    planned = np.array([record.scheduled_at for record in inside])
    begun = [r.begun_at for r in records if r.begun_at is not None]
    sent = np.array([at for at in begun if window.begin <= at < window.end])
    return Load(
        asked_per_second=len(planned) / window.seconds,
        delivered_per_second=len(sent) / window.seconds,
        arrivals_p_value=same_arrivals(planned, sent),
        **seen,  # type: ignore[arg-type]  # an int and a float by their names
    )


def tokens_within(record: RequestRecord, window: Window) -> float:
    """Output tokens of a request that arrived in the window; frames without a count share the total evenly."""
    if not record.token_at:  # a whole answer arrives with its last byte, a failure has nothing
        return float(record.output_tokens or 0) if _in(record.last_token_at, window) else 0.0
    inside = [window.begin <= at < window.end for at in record.token_at]
    if record.frame_tokens:
        return float(sum(count for count, is_in in zip(record.frame_tokens, inside, strict=True) if is_in))
    tokens = record.output_tokens if record.output_tokens is not None else record.frames
    return tokens * sum(inside) / len(inside)


def _answer_at(record: RequestRecord) -> float | None:
    """When the answer came: its first token, or all of it where it was not streamed."""
    return record.last_token_at if record.first_token_at is None else record.first_token_at


def _rate(ends: Sequence[float | None]) -> float:
    """(n - 1) / (last - first completion)."""
    known = [end for end in ends if end is not None]
    return (len(known) - 1) / (max(known) - min(known)) if len(known) > 1 and max(known) > min(known) else 0.0


def _in(stamp: float | None, window: Window) -> bool:
    return stamp is not None and window.begin <= stamp < window.end


def _of(values: Iterable[float | None]) -> Distribution:
    return distribution([value for value in values if value is not None])
