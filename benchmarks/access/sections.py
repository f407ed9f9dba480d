"""What the page says of each row: words, figures, bars."""

from __future__ import annotations

from benchmarks.loopback.page import Figure, Record, Section, none

RATE_OVER_PEER, RATE_ON_A_CORE = 3.0, 1_500.0
REVOKED_SECONDS = 1.0
HELD_SECONDS = 60.0
ADDED_MS = {"memory": (0.5, 2.0), "redis": (1.5, 5.0)}
FIRST_CALLS_MS, LATER_CALLS_MS, RECOVERY_SECONDS = 50.0, 10.0, 5.0
TROUBLES = {
    "paused": "stopped with SIGSTOP",
    "killed": "killed, then started again with its data",
    "emptied": "killed, then started again empty",
    "full": "full (`maxmemory` 1 byte, `noeviction`)",
}


def _quotas(records: list[Record]) -> list[Figure]:
    record = records[-1]
    values = record["values"]
    figures = [
        none("tokens over a quota in any 60 seconds", values["tokens_over"]),
        none("requests over a quota in any 60 seconds", values["requests_over"]),
    ]
    for bound in record["bounds"]:
        share = f"{bound['most']:,} of {bound['quota']:,} ({bound['share']:.1%})"
        figures.append(Figure(f"most {bound['unit']} in 60 seconds, {bound['name']}", share))
    held = values["held_seconds"]
    statuses = ", ".join(f"{name} {count:,}" for name, count in record["statuses"].items())
    return [
        *figures,
        Figure("requests by their end", statuses),
        Figure("tokens delivered", f"{values['tokens_delivered']:,} in {values['seconds']:.0f} s"),
        Figure("reservations of the killed process when it died", str(values["held_by_the_dead"])),
        Figure("until the last of them was free", f"{held:.1f} s", f"≤ {HELD_SECONDS:g} s", held <= HELD_SECONDS),
        Figure("the client itself was late by", f"{1000 * values['client_lag_max_seconds']:.0f} ms at most"),
    ]


def _revocation(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    slow = values["p99_ms"] / 1000
    return [
        Figure("revoked to refused, median", f"{values['p50_ms'] / 1000:.3f} s"),
        Figure("revoked to refused, p99", f"{slow:.3f} s", f"< {REVOKED_SECONDS:g} s", slow < REVOKED_SECONDS),
        Figure("revoked to refused, worst", f"{values['max_ms'] / 1000:.3f} s of {values['count']} samples"),
        none("refused and then served again", values["served_again"]),
    ]


def _tenants(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    caches = ", ".join(f"{values[name]:,} {name}" for name in ("hit", "attach", "miss"))
    return [
        none("answers with another prompt's nonce", values["swapped"]),
        none("answers that were damaged otherwise", values["damaged"]),
        none("first asks of a tenant answered from somebody else's", values["shared"]),
        none("failed requests", values["failed"]),
        Figure("requests", f"{values['requests']:,} in {values['seconds']:.0f} s, {values['cancelled']:,} cancelled"),
        Figure("answers by `x-podium-cache`", caches),
        Figure("first asks that were judged", f"{values['first_asks_answered']:,}"),
    ]


def _hits(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    rate, ratio = values["podium_requests_per_second"], values["ratio"]
    ours, theirs = values["podium_p99_ms"], values["litellm_p50_ms"]
    grown = values["upstream_requests_while_measured"]
    others = [_share_of_others(one) for one in records[-1]["rounds"]]
    return [
        Figure("Podium's requests/s", f"{rate:,.0f}", f"≥ {RATE_ON_A_CORE:,.0f}", rate >= RATE_ON_A_CORE),
        Figure("LiteLLM's requests/s", f"{values['litellm_requests_per_second']:,.0f}"),
        Figure(
            "Podium's rate over LiteLLM's",
            f"{ratio:.2f} (least of the rounds {values['least_ratio']:.2f})",
            f"≥ {RATE_OVER_PEER:g}",
            ratio >= RATE_OVER_PEER,
        ),
        Figure("Podium's p50 and p99", f"{values['podium_p50_ms']:.2f} and {ours:.2f} ms"),
        Figure("LiteLLM's p50 and p99", f"{theirs:.2f} and {values['litellm_p99_ms']:.2f} ms"),
        Figure("Podium's p99 against LiteLLM's p50", f"{ours:.2f} against {theirs:.2f} ms", "below", ours < theirs),
        none("requests that reached LiteLLM's upstream while measured", grown),
        Figure("client and other programs, share of a core", f"{min(others):.0%} to {max(others):.0%} by round"),
    ]


def _share_of_others(one: Record) -> float:
    """What wrk and everything that is not under test used, in cores: much more than wrk alone needs spoils a round."""
    used = one["cpu_seconds"]
    return float(used["other"] / used["wall"])


def _overhead(records: list[Record]) -> list[Figure]:
    figures = []
    for record in records:
        values, store = record["values"], record["values"]["store"]
        for kind, most in zip(("p50", "p99"), ADDED_MS[store], strict=True):
            added = values[f"added_{kind}_ms"]
            noise = values[f"noise_{kind}_ms"]
            bare = values[f"bare_{kind}_ms"]
            measured = f"{added:+.2f} ms (bare {bare:.2f}, two bare servers differ by {noise:+.2f})"
            figures.append(Figure(f"added, stores in {store}, {kind}", measured, f"≤ {most:g} ms", added <= most))
    requests = records[-1]["values"]["requests"]
    return [*figures, Figure("requests to each server", f"{requests:,}")]


def _identical(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    computed, texts, frames = values["computations"], values["different_texts"], values["different_frames"]
    return [
        Figure(f"computations for {values['streams']} streams, most of any round", str(computed), "1", computed == 1),
        Figure("sequences in the engine at the same time", str(values["most_sequences_at_once"])),
        Figure("different texts in a round", str(texts), "1", texts == 1),
        Figure("different event sequences in a round, without `id` and `created`", str(frames), "1", frames == 1),
        none("failed streams", values["failed"]),
        Figure("rounds", str(values["rounds"])),
    ]


def _paused_redis(records: list[Record]) -> list[Figure]:
    return [figure for record in records for figure in _trouble(record)]


def _trouble(record: Record) -> list[Figure]:
    values, name = record["values"], TROUBLES[record["setting"]]
    first = values["first_calls_extra_ms"]
    before, during = values["p99_before_ms"], values["p99_during_ms"]
    recovery = values["new_hit_after_seconds"]
    shown = ", ".join(f"{extra:.1f}" for extra in first)
    return [
        Figure(f"{name}: first calls, extra", f"{shown} ms", f"≤ {FIRST_CALLS_MS:g} ms", _under(first)),
        Figure(
            f"{name}: p99 of the others",
            f"{during:.1f} ms (before: {before:.1f}; worst {values['max_during_ms']:.1f})",
            f"≤ {before + LATER_CALLS_MS:.1f} ms",
            during <= before + LATER_CALLS_MS,
        ),
        none(f"{name}: 5xx", values["server_errors"]),
        none(f"{name}: other failures", values["other_failures"]),
        Figure(
            f"{name}: until the cache is used again",
            "never" if recovery is None else f"{recovery:.1f} s",
            f"≤ {RECOVERY_SECONDS:g} s",
            recovery is not None and recovery <= RECOVERY_SECONDS,
        ),
    ]


def _under(first: list[float]) -> bool:
    return max(first) <= FIRST_CALLS_MS


def _keys(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    least = min(records[-1]["examples"].values())
    return [
        Figure("examples", f"{values['examples']:,} (at least {least:,} of each of {values['fields']} fields)"),
        none("properties with a counterexample", values["shared_keys"]),
    ]


SECTIONS = (
    Section(
        "quotas",
        "Quotas hold across processes",
        "Four processes share one Redis. Five keys send mixed requests (three dialects, streams and not) at random "
        "moments, a third hang up at a random moment, and one process is killed while it streams and stays dead. "
        "Counted is what clients received: a prompt's tokens when its answer begins, each output token when it "
        "arrives. A request counts in a window when it was certainly admitted there. What the dead process had "
        "reserved is looked for in Redis five times a second.",
        _quotas,
    ),
    Section(
        "revocation",
        "A revoked key ends everywhere",
        "Four processes share one Redis and are each asked with the key without pause. A sample is the time from the "
        "return of the revocation to the answer after which one process only ever refused.",
        _revocation,
    ),
    Section(
        "tenants",
        "A tenant gets its own answers",
        "Twenty tenants with interleaved requests on 32 connections: prompts of their own, the same again, the same "
        "at the same moment, and prompts that other tenants ask too; some streamed, some cut off by the client. The "
        "echo engine repeats the prompt, so each answer must hold its prompt's nonce and nothing else.",
        _tenants,
    ),
    Section(
        "hits",
        "Cached answers, beside LiteLLM",
        "The same non-streaming chat requests over 32 connections, answered from memory through authentication, quota "
        "and cache. The server with its worker has one core, wrk the other; Podium and LiteLLM's proxy take turns. "
        "Podium logs each request; LiteLLM runs one worker in production mode, with errors only in its log, a master "
        "key, and no database, so it keeps no quota. Figures are medians of the rounds.",
        _hits,
    ),
    Section(
        "overhead",
        "What a request pays",
        "One connection to each of three servers in turns, blocks of 50 requests in rotating order, always a new "
        "prompt: two servers without keys, quotas and cache, and one with a key that has token and request quotas, "
        "and a cache that misses. Added is the full server's figure less the mean of the bare ones'.",
        _overhead,
    ),
    Section(
        "identical",
        "Equal requests are computed once",
        "64 equal streaming requests at once, several rounds, each with a new prompt. Computations are counted by the "
        "server's `podium_cache_requests_total` with status `miss`.",
        _identical,
    ),
    Section(
        "paused_redis",
        "A Redis that fails",
        "Keys, quotas and answers lie in one Redis while 16 clients send a steady 160 requests a second: kept prompts, "
        "new ones, and new ones again. After five seconds Redis is troubled for ten. The first calls are those on "
        "their way at that moment and the next three; *extra* is over the median before. The cache is used again when "
        "an answer that was kept after the trouble is found.",
        _paused_redis,
    ),
    Section(
        "keys",
        "Different requests have different keys",
        "The properties in `tests/unit/cache/test_key.py` with more examples than the tests take: requests and models "
        "that differ in one drawn field, pairs of drawn requests, and text that moves from one field to another.",
        _keys,
    ),
)
