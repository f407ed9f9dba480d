"""What the page says of each row: words, figures, bars."""

from __future__ import annotations

import statistics

from benchmarks.loopback.page import Figure, Record, Section, none
from benchmarks.observe.dashboard import DAY_UPDATES

TTFT_MS, TTFT_RATIO = 1.0, 0.02
LOST_RATIO, GAP_MS = 0.01, 0.5
FLAGGED_SECONDS, UNREADY_SECONDS = 5.0, 10.0
PAINT_MS, PAGE_BYTES, GROWTH_BYTES = 1000.0, 1_000_000, 50_000_000


def _conservation(records: list[Record]) -> list[Figure]:
    record = records[-1]
    values = record["values"]
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(record["tried"].items()))
    ends = ", ".join(f"{name} {count:,.0f}" for name, count in sorted(record["outcomes"].items()))
    return [
        none("scrapes at which something did not add up or went back", values["breaches"]),
        Figure("scrapes", f"{values['pages']:,} in {values['seconds']:.0f} s"),
        Figure("tried", told),
        Figure("requests by outcome", ends),
        Figure("workers replaced", f"{record['restarts']:.0f}"),
        *(Figure(f"`{name}`", f"{count:,.0f}") for name, count in record["tokens"].items()),
    ]


def _ttft(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    server, client = values["server_p50_ms"], values["client_p50_ms"]
    apart, allowed = abs(client - server), max(TTFT_MS, TTFT_RATIO * client)
    return [
        Figure("p50, server", f"{server:.2f} ms"),
        Figure("p50, client", f"{client:.2f} ms"),
        Figure("apart", f"{apart:.2f} ms", f"≤ {allowed:.2f} ms", apart <= allowed),
        Figure("one request's difference, p99", f"{values['apart_p99_ms']:.2f} ms"),
        Figure("mean of the histogram, and of the client",
               f"{values['histogram_mean_ms']:.2f} ms, {values['client_mean_ms']:.2f} ms"),
        Figure("requests", f"{values['requests']:,}"),
    ]  # fmt: skip


def _cost(records: list[Record]) -> list[Figure]:
    pairs = [pair for each in records for pair in zip(each["rates"]["without"], each["rates"]["with"], strict=True)]
    lost = 1 - statistics.median(scraped / alone for alone, scraped in pairs)
    runs = ", ".join(f"{each['values']['lost_ratio']:+.1%}" for each in records)
    values = records[-1]["values"]
    added = values["gap_p99_with_ms"] - values["gap_p99_without_ms"]
    gaps = f"{values['gap_p99_without_ms']:.2f} and {values['gap_p99_with_ms']:.2f} ms"
    return [
        Figure("throughput lost, median of all pairs", f"{lost:+.2%}", f"< {LOST_RATIO:.0%}", lost < LOST_RATIO),
        Figure("run by run", runs),
        Figure("p99 between tokens, added", f"{added:+.2f} ms ({gaps})", f"< {GAP_MS:g} ms", added < GAP_MS),
        Figure("rounds", str(len(pairs))),
    ]


def _scrape(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    share = values["cpu_ms"] / 1000
    return [
        Figure("processor time of one scrape", f"{values['cpu_ms']:.2f} ms"),
        Figure("of a core, with one each second", f"{share:.2%}", f"< {LOST_RATIO:.0%}", share < LOST_RATIO),
        Figure("page", f"{values['page_bytes']:,} bytes, {values['series']:,} series"),
        Figure("scrapes", f"{values['scrapes']:,}"),
    ]


def _traces(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    return [
        Figure("nothing is recorded", f"{values['off_rate']:,.0f} requests/s"),
        Figure("a tenth, throughput lost", f"{values['tenth_lost_ratio']:+.2%}"),
        Figure("all, throughput lost", f"{values['all_lost_ratio']:+.2%}"),
        Figure("rounds", str(values["rounds"])),
    ]


def _frozen(records: list[Record]) -> list[Figure]:
    record = records[-1]
    values = record["values"]
    figures = []
    for way, words in {"hang": "a step that never returns", "stop": "a stopped process"}.items():
        figures += [
            _latest(f"{words}: flagged", record["flagged_seconds"][way], FLAGGED_SECONDS),
            _latest(f"{words}: unready", record["unready_seconds"][way], UNREADY_SECONDS),
        ]
    looks = f"{values['busy_looks']:,} looks in {values['busy_seconds']:.0f} s, {values['busy_requests']:,} requests"
    return [*figures, none("a saturated healthy engine: flagged or unready", values["busy_flags"]),
            Figure("looks at it", looks)]  # fmt: skip


def _latest(what: str, seconds: list[float | None], bar: float) -> Figure:
    if None in seconds:
        return Figure(what, f"never, in {seconds.count(None)} of {len(seconds)}", f"< {bar:g} s", met=False)
    worst = max(value for value in seconds if value is not None)
    return Figure(what, f"{worst:.1f} s at worst of {len(seconds)}", f"< {bar:g} s", worst < bar)


def _junk(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    more = values["series_after"] - values["series_before"]
    return [none("series more", more), Figure("requests", f"{values['requests']:,}"),
            Figure("series", f"{values['series_after']:,}")]  # fmt: skip


def _dashboard(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    paint, whole = values["first_paint_ms"], values["page_bytes"] + values["largest_answer_bytes"]
    growth = values["heap_end_bytes"] - values["heap_start_bytes"]
    day = growth * DAY_UPDATES / values["updates"] if values["updates"] else float("inf")
    parts = f"{values['page_bytes']:,} and {values['largest_answer_bytes']:,}"
    return [
        Figure("first paint", f"{paint:.0f} ms", f"< {PAINT_MS:.0f} ms", paint < PAINT_MS),
        Figure("page and its largest answer", f"{whole:,} bytes ({parts})", f"< {PAGE_BYTES:,}", whole < PAGE_BYTES),
        Figure("growth of the heap", f"{growth:+,} bytes in {values['updates']:,} updates"),
        Figure("the same for a day's updates", f"{day / 1e6:+.1f} MB", f"< {GROWTH_BYTES / 1e6:.0f} MB",
               day < GROWTH_BYTES),
    ]  # fmt: skip


SECTIONS = (
    Section(
        "conservation",
        "Nothing is lost",
        "Twelve callers send requests that are answered, streamed, cut off, broken by the engine, too late, for "
        "unknown models and malformed, to a small batch with a short queue; now and then every worker is killed, or "
        "the model is unloaded and loaded. Twenty times a second the page is read: received = ended + in flight, "
        "tokens sampled = delivered + discarded + unread, and no counter is smaller than before.",
        _conservation,
    ),
    Section(
        "ttft",
        "The server's first token is the client's",
        "Four streams at a time from one process over loopback. The server's figure is that of its log line, the "
        "client's the time from writing the request to the first frame with text; they are joined by request id.",
        _ttft,
    ),
    Section(
        "cost",
        "What scrapes cost",
        "The server on one core, the load on the other; blocks with a scrape each second and without any, in turns. "
        "One run's median scatters by some per cent, so all runs count together. "
        "Throughput is that of wrk's 32 connections, time between tokens that of 16 streams at 10 ms a token.",
        _cost,
        all_runs=True,
    ),
    Section(
        "scrape",
        "What one scrape takes",
        "The rounds above scatter by several per cent, so what is lost is also measured where it arises: the processor "
        "time of the server and its worker for scrapes one after the other, as a Prometheus asks, less that of as long "
        "a time without any. The server has one core, and at full load what a scrape takes is lost to requests.",
        _scrape,
    ),
    Section(
        "traces",
        "What recording traces costs at full load",
        "Throughput of wrk's 32 connections at answers of 8 tokens, each server alone under load in turn: nothing is "
        "recorded, a tenth of the requests, all of them.",
        _traces,
    ),
    Section(
        "frozen",
        "A frozen engine is told, a busy one is not",
        "Flagged: the page says that the last progress is longer ago than `monitor.stalled_seconds` allows, and one "
        "second more, in which the monitor looks. Unready: `/readyz` is no 200. Both are "
        "looked at twenty times a second, and count from the last token that came. The busy server has 24 callers for "
        "a batch of four.",
        _frozen,
    ),
    Section(
        "junk",
        "Names that nobody configured make no series",
        "Unknown models, paths and methods, a third each, every one of them new, after a few of each kind.",
        _junk,
    ),
    Section(
        "dashboard",
        "The page",
        "A headless Chromium before `podium up`. For the growth its timers run fifty times as fast, so that the page "
        "makes the updates of hours in minutes; the heap is measured after collections.",
        _dashboard,
    ),
)
