"""The INVALID stamp: every reason for which a run must not be believed, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from podium.bench.plan import RunPlan
from podium.bench.record import Outcome, RequestRecord
from podium.bench.result import Calibration, Invalidity, Reason
from podium.bench.summary import Summary

ARRIVALS_P_VALUE = 0.01
CLIENT_BOUND = 0.8  # of what the no-op server was driven at: above it a closed loop measures the client
LATE_SHARE = 0.02  # of the median end-to-end latency: reads that are late by less change little that is said
KEPT = frozenset({"hit", "semantic", "attach"})  # what x-podium-cache says of an answer that was not computed
_PAST_TELLING = 1e-9


def reasons(
    plan: RunPlan,
    records: Sequence[RequestRecord],
    summary: Summary | None,
    calibration: Calibration | None,
    client: Mapping[str, float],
) -> list[Invalidity]:
    """All reasons, the ones about the client first; empty for a run that may be believed.

    ``client``: what the load generator did itself, as ``RunResult`` has it.
    """
    if summary is None:
        return [_why(Reason.TOO_FEW_SAMPLES, "no request was sent after the warm-up; make the run longer")]
    return [
        *_calibration(plan, calibration, summary),
        *_client(plan, summary, client),
        *_window(plan, summary),
        *_samples(plan, summary),
        *_lengths(plan, records),
        *_cached(plan, records),
    ]


def _why(reason: Reason, detail: str) -> Invalidity:
    return Invalidity(reason=reason, detail=detail)


def _calibration(plan: RunPlan, calibration: Calibration | None, summary: Summary) -> Iterator[Invalidity]:
    if calibration is None:
        if plan.calibrate:
            yield _why(Reason.CALIBRATION, "the calibration did not finish")
        return
    asked, reached = calibration.asked_per_second, calibration.reached_per_second
    if asked is not None and reached < asked * (1 - plan.bounds.load_error):
        yield _why(
            Reason.CALIBRATION,
            f"against a no-op server this client reached {reached:.1f} of {asked:.1f} requests/s; use more --workers, "
            "fewer tokens, or another machine",
        )
    if asked is None and summary.completed_per_second > CLIENT_BOUND * reached:
        yield _why(
            Reason.CALIBRATION,
            f"the server took {summary.completed_per_second:.1f} requests/s and this client reaches {reached:.1f} "
            "against a no-op server: the client may be what was measured; use more --workers",
        )


def _client(plan: RunPlan, summary: Summary, client: Mapping[str, float]) -> Iterator[Invalidity]:
    bounds, load = plan.bounds, summary.load
    late = summary.schedule_delay.at(99)
    if late is not None and late > bounds.schedule_delay_p99:
        yield _why(
            Reason.SCHEDULE_DELAY,
            f"1 % of requests were sent more than {late * 1000:.1f} ms after their time (bound "
            f"{bounds.schedule_delay_p99 * 1000:g} ms); use a quieter machine or more --workers",
        )
    read_late = client.get("loop_lag_p99", 0.0)
    if read_late > max(bounds.schedule_delay_p99, LATE_SHARE * (summary.e2e_sent.at(50) or 0.0)):
        yield _why(
            Reason.CLIENT_LATE,
            f"for 1 % of the time this client read answers more than {read_late * 1000:.0f} ms late; use a quieter "
            "machine or more --workers",
        )
    cpu = client.get("worker_cpu_ratio", 0.0)
    if cpu > bounds.client_cpu:
        yield _why(
            Reason.CLIENT_CPU,
            f"a worker used {cpu:.0%} of a core (bound {bounds.client_cpu:.0%}); use more --workers",
        )
    if load.asked_per_second is None or load.delivered_per_second is None:
        return
    asked = load.asked_per_second * summary.window.seconds
    missing = abs(load.delivered_per_second - load.asked_per_second) * summary.window.seconds
    # One request more or less at the edge of the window is no error of the load.
    if missing > max(1.0, bounds.load_error * asked) + _PAST_TELLING:
        yield _why(
            Reason.LOAD_NOT_DELIVERED,
            f"{load.asked_per_second:.2f} requests/s were asked for and {load.delivered_per_second:.2f} sent",
        )
    elif load.arrivals_p_value is not None and load.arrivals_p_value < ARRIVALS_P_VALUE:
        yield _why(
            Reason.LOAD_NOT_DELIVERED,
            f"what was sent is not distributed as it was planned (KS test, p = {load.arrivals_p_value:.4f})",
        )


def _window(plan: RunPlan, summary: Summary) -> Iterator[Invalidity]:
    window, bounds = summary.window, plan.bounds
    if plan.warm_up_seconds <= 0:
        yield _why(Reason.NO_WARM_UP, "the run had no warm-up; name one with --warm-up")
    if window.seconds < bounds.least_window_seconds:
        yield _why(
            Reason.WINDOW_TOO_SHORT,
            f"the window is {window.seconds:.1f} s long (bound {bounds.least_window_seconds:g} s); use a longer "
            "--duration, or accept less with --min-window",
        )
    if window.stationary is False:
        rising = (window.ttft_slope or (0, 0, 0))[1] > 0 or (window.in_flight_slope or (0, 0, 0))[1] > 0
        what = "rise: the server is over-saturated" if rising else "fall: the warm-up was too short"
        yield _why(Reason.NOT_STATIONARY, f"requests in flight or TTFT {what}, so no figure would hold")


def _samples(plan: RunPlan, summary: Summary) -> Iterator[Invalidity]:
    if summary.counts.ok == 0:
        yield _why(Reason.NOTHING_SUCCEEDED, "no request succeeded; see the failures")
    elif summary.counts.ok < plan.bounds.least_samples:
        yield _why(
            Reason.TOO_FEW_SAMPLES,
            f"{summary.counts.ok} requests succeeded (bound {plan.bounds.least_samples}, the least for a p90); use a "
            "longer --duration, or accept less with --min-samples",
        )


def _lengths(plan: RunPlan, records: Sequence[RequestRecord]) -> Iterator[Invalidity]:
    ok = [record for record in records if record.outcome is Outcome.OK and not record.warm_up]
    if not ok:
        return
    bound = plan.bounds.length_error_share
    wrong = [r for r in ok if r.output_tokens_reported != r.output_tokens_asked]
    if plan.workload.ignore_eos and len(wrong) > bound * len(ok):
        yield _why(Reason.OUTPUT_LENGTHS, _other_length(len(wrong), len(ok), "output", "--natural-stop"))
    other = [r for r in ok if r.prompt_tokens_asked is not None and r.prompt_tokens_reported != r.prompt_tokens_asked]
    if len(other) > bound * len(ok):
        yield _why(Reason.PROMPT_LENGTHS, _other_length(len(other), len(ok), "prompt", "--tokenizer"))
    differing = [record for record in ok if counts_disagree(record)]
    if len(differing) > bound * len(ok):
        one = differing[0]
        yield _why(
            Reason.TOKEN_COUNTS,
            f"in {len(differing)} of {len(ok)} answers usage contradicts the frames (request {one.index}: usage "
            f"{one.output_tokens_reported}, counted {one.output_tokens_counted}, token frames {one.frames})",
        )


def _cached(plan: RunPlan, records: Sequence[RequestRecord]) -> Iterator[Invalidity]:
    kept = sum(record.cache in KEPT and not record.warm_up for record in records)
    if kept and not plan.target.allow_cached:
        yield _why(
            Reason.CACHED_ANSWERS,
            f"{kept} answers came from the server's response cache although they were asked for anew; use another "
            "--seed, or measure the cache on purpose with --allow-cached",
        )


def counts_disagree(record: RequestRecord) -> bool:
    """Whether the usage of an answer cannot be true: more frames than tokens, or another sum over its frames."""
    reported, counted = record.output_tokens_reported, record.output_tokens_counted
    if reported is None:
        return False
    return record.frames > reported or (counted is not None and counted != reported)


def _other_length(wrong: int, of: int, what: str, option: str) -> str:
    share = math.ceil(100 * wrong / of)
    return f"{wrong} of {of} answers ({share} %) have another {what} length than was asked for; see {option}"
