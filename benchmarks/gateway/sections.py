"""What the page says of each row: words, figures, bars."""

from __future__ import annotations

from benchmarks.loopback.page import Figure, Record, Section, none

ADDED_MS = {"300/s": (0.5, 2.0)}
"""At the rate that the bars are for: most in the median, and in the 99th percentile."""
SHARE_OF_PEER = 0.1
RATE_OVER_PEER, RATE_ON_A_CORE = 5.0, 2_700.0
TOKEN_MS = 2.0
PUSH_MS = 50.0
LEAST_STREAMS = 2_000


def _latency(records: list[Record]) -> list[Figure]:
    newest = {record["setting"]: record["values"] for record in records}
    return [figure for rate, values in newest.items() for figure in _at(rate, values)]


def _at(rate: str, values: dict[str, float]) -> list[Figure]:
    added, peer = values["podium_added_p50_ms"], values["litellm_added_p50_ms"]
    median, worst = ADDED_MS.get(rate, (0.0, 0.0))
    share = f"1 in {peer / added:.0f}" if added > 0 else "nothing was added"
    figures = [
        Figure(
            f"{rate}, {words}",
            f"p50 {values[f'{name}_p50_ms']:.2f} ms, p99 {values[f'{name}_p99_ms']:.2f} ms; {_troubles(name, values)}",
        )
        for name, words in (("direct", "no gateway"), ("podium", "Podium's gateway"), ("litellm", "LiteLLM's proxy"))
    ]
    return [
        *figures,
        _most(f"{rate}, added by Podium's gateway, median", added, median),
        _most(f"{rate}, added by Podium's gateway, 99th percentile", values["podium_added_p99_ms"], worst),
        Figure(f"{rate}, added by LiteLLM's proxy, median", f"{peer:.2f} ms"),
        Figure(f"{rate}, Podium's part of that", share, "≤ 1 in 10", added <= SHARE_OF_PEER * peer),
    ]


def _troubles(name: str, values: dict[str, float]) -> str:
    return f"{values[f'{name}_failed']} failed, {values[f'{name}_left_out']} not sent in time"


def _most(what: str, measured_ms: float, most_ms: float) -> Figure:
    if not most_ms:
        return Figure(what, f"{measured_ms:.2f} ms")
    return Figure(what, f"{measured_ms:.2f} ms", f"≤ {most_ms:g} ms", measured_ms <= most_ms)


def _throughput(records: list[Record]) -> list[Figure]:
    values, rounds = records[-1]["values"], records[-1]["rounds"]
    rate, ratio = values["podium_requests_per_second"], values["ratio"]
    ours = [one for one in rounds if one["peer"] == "podium"]
    cores = [
        sum(seconds for name, seconds in one["cpu_seconds"].items() if name.startswith("podium"))
        / one["cpu_seconds"]["wall"]
        for one in ours
    ]
    return [
        Figure("Podium's gateway", f"{rate:,.0f}/s", f"≥ {RATE_ON_A_CORE:,.0f}/s", rate >= RATE_ON_A_CORE),
        Figure("LiteLLM's proxy", f"{values['litellm_requests_per_second']:,.0f}/s"),
        Figure("ratio, median of rounds", f"{ratio:.1f}", f"≥ {RATE_OVER_PEER:g}", ratio >= RATE_OVER_PEER),
        Figure("the server without a gateway", f"{values['direct_requests_per_second']:,.0f}/s"),
        Figure("part of its core that Podium's gateway used", f"{min(cores):.0%} to {max(cores):.0%}"),
    ]


def _cores(seconds: dict[str, float]) -> float:
    """How many cores the gateway's processes used."""
    return sum(used for name, used in seconds.items() if name.startswith("podium")) / seconds["wall"]


def _streaming(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    return [
        *(
            Figure(words, f"p50 {values[f'{name}_p50_ms']:.2f} ms, p99 {values[f'{name}_p99_ms']:.2f} ms")
            for name, words in (("direct", "without a gateway"), ("podium", "through the gateway"))
        ),
        Figure("added, median", f"{values['added_p50_ms']:.2f} ms"),
        _most("added, 99th percentile", values["added_p99_ms"], TOKEN_MS),
    ]


def _pushes(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    return [
        Figure("changes, all confirmed", f"{values['pushes']:,}"),
        Figure("median", f"{values['p50_ms']:.1f} ms"),
        Figure("99th percentile", f"{values['p99_ms']:.1f} ms", f"< {PUSH_MS:g} ms", values["p99_ms"] < PUSH_MS),
        Figure("longest", f"{values['max_ms']:.1f} ms"),
        none(f"failed of {values['requests']:,} requests meanwhile", values["requests_failed"]),
    ]


def _matrix(records: list[Record]) -> list[Figure]:
    newest = {record["setting"]: record["values"] for record in records}
    return [figure for fault, values in newest.items() for figure in _fault(fault, values)]


def _fault(fault: str, values: dict[str, int]) -> list[Figure]:
    tried = f"{fault}: failed before the first byte, of {values['requests']:,} in {values['runs']} runs"
    hidden = f"{values['green_failed_attempts']:,} of {values['green_attempts']:,}"
    figures = [none(tried, values["failed"]), Figure(f"{fault}: attempts that the environment failed", hidden)]
    if fault != "cut":
        return [*figures, none(f"{fault}: cut or short after it", values["cut"] + values["silent"])]
    told = values["cut"] == values["green_failed_attempts"]
    return [
        *figures,
        Figure(f"{fault}: streams that broke off, and said so", f"{values['cut']:,}", "every failed attempt", told),
        none(f"{fault}: streams that were short and looked whole", values["silent"]),
    ]


def _rollouts(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    streams = values["streams"]
    return [
        Figure("rollouts", f"{values['rollouts']}: {values['changes']} changes of weights, {values['swaps']} versions"),
        Figure("streams", f"{streams:,}", f"≥ {LEAST_STREAMS:,}", streams >= LEAST_STREAMS),
        Figure("attempts in blue and green", f"{values['blue_attempts']:,} and {values['green_attempts']:,}"),
        none("streams that failed before their first byte", values["failed"]),
        none("streams that were cut", values["cut"]),
        none("streams with other bytes than without a gateway", values["silent"]),
    ]


SECTIONS = (
    Section(
        "latency",
        "What the gateway adds to a request",
        "Short chat requests on kept connections, to the same server in turns: by itself, through Podium's gateway, "
        "and through LiteLLM's proxy. Gateway and proxy have one core, the server and the client the other. The server "
        "answers at once with the same words. 300 a second is more than LiteLLM's proxy can carry on a core; 20 are "
        "not.",
        _latency,
    ),
    Section(
        "throughput",
        "Requests a second on one core",
        "wrk keeps 32 connections busy. Envoy and its controller share one core, and so does LiteLLM's proxy in its "
        "turns; wrk and the server have the other.",
        _throughput,
    ),
    Section(
        "streaming",
        "How much later a token arrives",
        "16 streams of 50 tokens a second each. Every token says when it was sent, on the same clock that the client "
        "reads when it arrives.",
        _streaming,
    ),
    Section(
        "pushes",
        "Until a change of weights is confirmed",
        "`PUT /control/traffic` under 300 requests a second: from sending the change to its answer, which comes after "
        "Envoy's confirmation, after the new weights are on disk, and after a look at the servers' health.",
        _pushes,
    ),
    Section(
        "matrix",
        "An environment that fails, and who notices",
        "Two environments, the failing one with 20 % of the traffic, 60 requests a second. `500`, `reset` and `hang` "
        "fail every request there (`hang` never answers; `first_byte_seconds` is 0.3). `kill -9` ends the server in "
        "the middle of a run; it is started again at once. `out of memory`: the server allocates until its own limit "
        "of address space and then ends by SIGKILL, as one does that the kernel chooses; the kernel was not asked to. "
        "`bad health`: its check and its requests answer 503. `slow start`: killed, and for 0.6 seconds after its "
        "start everything is 503. `cut`: streams end after three events without their end, which no gateway can hide "
        "any more: clients must notice. All faults are measured at the same time, each with a gateway of its own.",
        _matrix,
    ),
    Section(
        "rollouts",
        "Streams through rollouts",
        "30 clients read streams without pause (25 tokens, half a second) while green's weight goes 5, 25, 50, 100 and "
        "0; then nothing runs there any more, and another server takes its place. Every stream is compared with the "
        "bytes that a server gives without a gateway.",
        _rollouts,
    ),
)
