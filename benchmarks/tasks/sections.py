"""What the page says of each row: words, figures, bars."""

from __future__ import annotations

from benchmarks.loopback.page import Figure, Record, Section

OVER_INFINITY, OVER_SENTENCE_TRANSFORMERS = 1.5, 2.0
LEAST_COSINE = 0.9999
LIVEZ_MS = 10.0


def _embeddings(records: list[Record]) -> list[Figure]:
    values = records[-1]["values"]
    rates = {name: rate for name, rate in values.items() if name.endswith("_texts_per_second")}
    rounds = records[-1]["rounds"]
    figures = [
        Figure(name.removesuffix("_texts_per_second"), f"{rate:.0f} texts/s ({_span(rounds, name)})")
        for name, rate in sorted(rates.items(), key=lambda one: -one[1])
    ]
    return [
        *figures,
        _least("Podium over infinity-emb's fastest engine", values["over_infinity"], OVER_INFINITY),
        _least(
            "Podium over sentence-transformers behind FastAPI",
            values["over_sentence_transformers"],
            OVER_SENTENCE_TRANSFORMERS,
        ),
        Figure(
            "least cosine with sentence-transformers' vectors (f32)",
            f"{values['least_cosine']:.6f}",
            f"≥ {LEAST_COSINE}",
            values["least_cosine"] >= LEAST_COSINE,
        ),
    ]


def _span(rounds: list[Record], name: str) -> str:
    peer = name.removesuffix("_texts_per_second")
    rates = [one["texts_per_second"] for one in rounds if one["peer"] == peer]
    return f"{min(rates):.0f} to {max(rates):.0f} in {len(rates)} rounds"


def _least(what: str, ratio: float, least: float) -> Figure:
    return Figure(what, f"{ratio:.2f} times", f"≥ {least:g}", ratio >= least)


def _mixed(records: list[Record]) -> list[Figure]:
    record = records[-1]
    values = record["values"]
    used, budget = values["memory_bytes"] / 2**20, values["budget_bytes"] / 2**20
    figures = [Figure(f"answers of `{name}`", f"{count:,}") for name, count in record["answered"].items()]
    median, late, worst = (values[f"livez_{name}_ms"] for name in ("p50", "p99", "max"))
    livez = f"p50 {median:.2f} ms, p99 {late:.2f} ms, worst {worst:.1f} ms"
    return [
        *figures,
        Figure("memory of the five workers", f"{used:.0f} MiB", f"≤ {budget:.0f} MiB", used <= budget),
        Figure(
            f"`/livez` under that load, {values['livez_count']:.0f} probes",
            livez,
            f"p99 < {LIVEZ_MS:g} ms",
            values["livez_p99_ms"] < LIVEZ_MS,
        ),
    ]


SECTIONS = (
    Section(
        "embeddings",
        "Embeddings against their peers",
        "all-MiniLM-L6-v2, 32 callers that each wait for the answer to one text of 4 to 160 words before they send the "
        "next, every server as one process on all cores with its defaults (infinity: 32 inputs a batch). Answers are "
        "lists of numbers in JSON. Each server runs by itself, the order moves on with each round, and medians are "
        "compared. Podium computes in f32, as it does unless it is told otherwise; with bf16 (engine.precision) it is "
        "shown beside that. sentence-transformers stands behind the FastAPI route that tutorials show.",
        _embeddings,
    ),
    Section(
        "mixed",
        "Five tasks in one server",
        "Embeddings (all-MiniLM), token classification, zero-shot classification and question answering (small "
        "encoders with random weights) and generation (the demo model), all loaded at once under one memory budget and "
        "asked by four callers each, while `/livez` is asked a hundred times a second, by ten probers in turns. A "
        "probe's time counts from when it was due.",
        _mixed,
    ),
)
