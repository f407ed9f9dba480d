"""Writes the page from a raw file, and nothing that is not in it."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.raw_file import read_raw
from benchmarks.serving.roof import roof_tokens_per_second

Records = list[dict[str, Any]]

_TITLES = {"gpt2": "GPT-2 124M", "qwen2": "Qwen2-0.5B"}

_INTRODUCTION = """# Serving benchmark

Written by `python -m benchmarks.serving` from its raw file; do not edit. Models have random weights in the shapes
of GPT-2 (124M) and Qwen2-0.5B: speed does not depend on what the weights say. Every peer gets the same token ids,
greedy, with a fixed number of output tokens, over HTTP with streaming; *bare* is openvino-genai in a process of
its own with the settings that Podium passes on, and no server. Figures are medians of the rounds; a ratio is the
median of the ratios within each round. How each figure was judged against its bar is in the last table.
"""


def write_page(raw: Path, page: Path) -> None:
    """Render ``raw`` into ``page``."""
    page.write_text(render(read_raw(raw), raw.name), encoding="utf-8")


def check_page(page: Path) -> None:
    """Exit with 1 unless ``page`` is exactly what the raw file that it names gives."""
    text = page.read_text(encoding="utf-8")
    named = re.search(r"\(raw/([^)]+\.jsonl)\)", text)
    if named is None:
        raise SystemExit(f"{page} names no raw file")
    raw = page.parent / "raw" / named[1]
    if render(read_raw(raw), raw.name) != text:
        raise SystemExit(f"{page} differs from its raw file: python -m benchmarks.serving --render {raw}")


def render(records: Records, raw_name: str) -> str:
    """The page's text."""
    header = next(record for record in records if record["kind"] == "header")
    parts = [
        _INTRODUCTION,
        _circumstances(header, records, raw_name),
        *(_comparison(records, model) for model in ("gpt2", "qwen2")),
        _single(records),
        _server(records),
        _roofline(records),
        _bars(records),
        _failures(records),
    ]
    return "\n".join(part for part in parts if part)


def _circumstances(header: dict[str, Any], records: Records, raw_name: str) -> str:
    machine, versions = header["machine"], header["versions"]
    runs = [record for record in records if "before" in record]
    noisy = sum(not record["before"]["quiet"] for record in runs)
    others = [
        record["cpu_seconds"]["other"] / (record["cpu_seconds"]["wall"] * machine["threads"])
        for record in records
        if "cpu_seconds" in record
    ]
    noise = f"{noisy} of {len(runs)} runs began on a machine that was not idle"
    if others:
        median, most = _percent(statistics.median(others)), _percent(max(others))
        noise += f"; other programs used {median} of it (median), at most {most}"
    lines = [
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB",
        f"- instructions: {', '.join(machine['features'])}; kernel {machine['kernel']}",
        f"- commit `{header['commit']}`, {header['date']}, `{header['command']}`",
        *(f"- {name}: {', '.join(f'{k} {v}' for k, v in found.items())}" for name, found in versions.items()),
        f"- quiet: {noise}",
        f"- raw data: [raw/{raw_name}](raw/{raw_name})",
    ]
    return "## Circumstances\n\n" + "\n".join(lines) + "\n"


def _comparison(records: Records, model: str) -> str:
    runs = _runs(records, model)
    if not runs:
        return ""
    parts = [f"## {_TITLES[model]}\n"]
    for workload, words, columns in _WORKLOADS:
        rows = [_row(runs, workload, peer, columns) for peer in _peers(runs, workload)]
        if rows:
            names = ["peer", *(name for name, _, _ in columns), "peer's CPU s", "client's CPU s", "rounds"]
            parts.append(f"### {words}\n\n{_table(names, rows)}")
    return "\n".join(parts)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def _one(value: float) -> str:
    return f"{value:.1f}"


def _two(value: float) -> str:
    return f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


Column = tuple[str, str, Callable[[float], str]]
_RATE: Column = ("output tokens/s", "output_tokens_per_second", _one)
_TTFT: Column = ("TTFT p50 ms", "ttft_p50_seconds", _milliseconds)
_ITL50: Column = ("ITL p50 ms", "itl_p50_seconds", _milliseconds)
_ITL95: Column = ("ITL p95 ms", "itl_p95_seconds", _milliseconds)
_WALL: Column = ("wall s", "wall_seconds", _two)
_WORKLOADS: tuple[tuple[str, str, tuple[Column, ...]], ...] = (
    ("streams-1", "One stream, 128 tokens in, 128 out", (_RATE, _TTFT, _ITL50)),
    ("streams-16", "16 streams at once, 128 tokens in, 128 out", (_RATE, _TTFT, _ITL50, _ITL95)),
    ("streams-64", "64 streams at once, 128 tokens in, 128 out", (_RATE, _TTFT, _ITL50, _ITL95)),
    (
        "staggered",
        "32 mixed requests, one each 150 ms, 64 to 512 tokens in, 32 to 128 out",
        (_RATE, _TTFT, _ITL50, _ITL95, _WALL),
    ),
    ("shared-prefix", "16 requests at once that share a new 512-token prefix, 32 tokens out", (_WALL, _TTFT)),
)


def _row(runs: Records, workload: str, peer: str, columns: Sequence[Column]) -> list[str]:
    found = [run for run in runs if run["workload"] == workload and run["peer"] == peer]
    figures = [show(statistics.median(run["values"][name] for run in found)) for _, name, show in columns]
    servers = [
        sum(seconds for name, seconds in run["cpu_seconds"].items() if name.startswith("server")) for run in found
    ]
    clients = [run["cpu_seconds"]["client"] for run in found]
    return [
        peer,
        *figures,
        _two(statistics.median(servers)),
        _two(statistics.median(clients)),
        str(len(found)),
    ]


def _single(records: Records) -> str:
    rows = [
        [
            record["peer"],
            *(_milliseconds(record["values"][f"{who}_ttft_seconds"]) for who in ("bare", "podium")),
            f"{record['values']['added_ttft_seconds'] * 1000:+.2f}",
            *(f"{record['values'][f'{who}_tpot_seconds'] * 1000:.2f}" for who in ("bare", "podium")),
            f"{(record['values']['tpot_ratio'] - 1) * 100:+.1f} %",
            str(len(record["pairs"])),
        ]
        for record in records
        if record["kind"] == "single"
    ]
    if not rows:
        return ""
    names = ["precision", "bare TTFT ms", "Podium's", "added ms", "bare ms/token", "Podium's", "added", "pairs"]
    words = "Podium and the bare engine are both loaded and take turns, request by request; differences are paired."
    return f"## One stream, GPT-2 124M, 128 tokens in, 64 out\n\n{words}\n\n{_table(names, rows)}"


def _server(records: Records) -> str:
    rows: list[list[str]] = []
    for record in _kind(records, "probes"):
        values = record["values"]
        rows.append(
            [
                f"`/livez` while 64 streams run, {values['probes']} probes",
                "p50 {} ms, p99 {} ms, worst {} ms".format(
                    *(_milliseconds(values[f"{name}_seconds"]) for name in ("p50", "p99", "max"))
                ),
            ]
        )
    starts = _kind(records, "start")
    if starts:
        seconds = [record["values"]["ready_seconds"] for record in starts]
        rows.append(
            ["process start to ready, demo model", f"{statistics.median(seconds):.2f} s (worst {max(seconds):.2f} s)"]
        )
        last = starts[-1]["values"]
        rows.append(["memory of the API process after 1,000 requests", _mib(last.get("api_rss_after_1000_bytes", 0))])
        rows.append(["memory of the demo model's worker then", _mib(last.get("worker_rss_bytes", 0))])
    cycles = _kind(records, "cycle")
    if cycles:
        told = [record["values"]["told_after_over_before"] for record in cycles]
        seen = [record["values"]["rss_after_over_before"] for record in cycles]
        rows.append(
            [
                f"memory after unload over before load, GPT-2, {len(cycles)} times",
                f"told {_range(told)}, seen by the operating system {_range(seen)}",
            ]
        )
        rows.append(["load of GPT-2 int8", f"{statistics.median(r['values']['load_seconds'] for r in cycles):.2f} s"])
    return f"## The server\n\n{_table(['what', 'measured'], rows)}" if rows else ""


def _roofline(records: Records) -> str:
    machines = _kind(records, "roofline")
    if not machines:
        return ""
    machine = machines[-1]["values"]
    rates = (
        f"Measured: {machine['read_bytes_per_second'] / 1e9:.1f} GB/s read, GEMM "
        f"{machine['f32_operations_per_second'] / 1e9:.0f} GF/s f32, {machine['bf16_operations_per_second'] / 1e9:.0f} "
        f"GF/s bf16, {machine['int8_operations_per_second'] / 1e9:.0f} Gop/s int8."
    )
    rows = []
    for model in ("gpt2", "qwen2"):
        for streams in (1, 16, 64):
            for peer in _peers(_runs(records, model), f"streams-{streams}"):
                rate = _median(records, model, f"streams-{streams}", peer, "output_tokens_per_second")
                roof = roof_tokens_per_second(model, peer.rsplit("-", 1)[1], streams, machine)
                rows.append([model, str(streams), peer, _one(rate), _one(roof), _percent(rate / roof)])
    words = (
        "The roof is the time to multiply the prompts at the bf16 rate and, for each step, the longer of reading "
        "weights and KV cache once and multiplying at that rate."
    )
    names = ["model", "streams", "peer", "tokens/s", "roof", "share"]
    return f"## Share of the roofline\n\n{rates} {words}\n\n{_table(names, rows)}"


def _bars(records: Records) -> str:
    """Every bar that the raw file has figures for."""
    rows = []
    for model, words, ours, theirs, workload, name, bar, more_is_better in _BARS:
        ratios = _ratios(records, model, ours, theirs, workload, name)
        if ratios:
            ratio = statistics.median(ratios)
            met = ratio >= bar if more_is_better else ratio <= bar
            sign = "≥" if more_is_better else "≤"
            rows.append(
                [
                    f"{_TITLES[model]}, {words}",
                    f"{ratio:.2f} ({_range(ratios)})",
                    f"{sign} {bar:g}",
                    "yes" if met else "**no**",
                ]
            )
    for record in _kind(records, "single"):
        added, ratio = record["values"]["added_ttft_seconds"] * 1000, record["values"]["tpot_ratio"]
        rows.append([f"one stream {record['peer']}: added TTFT", f"{added:.2f} ms", "≤ 5 ms", _yes(added <= 5)])
        rows.append([f"one stream {record['peer']}: time per token", f"{ratio:.3f}", "≤ 1.03", _yes(ratio <= 1.03)])
    for record in _kind(records, "probes"):
        slow = record["values"]["p99_seconds"] * 1000
        rows.append(["`/livez` p99 at saturation", f"{slow:.1f} ms", "< 10 ms", _yes(slow < 10)])
    return f"## Bars\n\n{_table(['what', 'measured', 'bar', 'met'], rows)}" if rows else ""


_SPEED, _P95, _TIME = "output_tokens_per_second", "itl_p95_seconds", "wall_seconds"
_BARS: tuple[tuple[str, str, str, str, str, str, float, bool], ...] = (
    ("gpt2", "16 streams: int8 over the bare engine", "podium-int8", "bare-int8", "streams-16", _SPEED, 0.95, True),
    ("gpt2", "16 streams: bf16 over the bare engine", "podium-bf16", "bare-bf16", "streams-16", _SPEED, 0.95, True),
    ("gpt2", "16 streams: int8 over vLLM", "podium-int8", "vllm-bf16", "streams-16", _SPEED, 1.4, True),
    ("gpt2", "16 streams: bf16 over vLLM", "podium-bf16", "vllm-bf16", "streams-16", _SPEED, 1.1, True),
    ("gpt2", "16 streams: int8 over transformers", "podium-int8", "transformers-bf16", "streams-16", _SPEED, 4, True),
    ("gpt2", "16 streams: bf16 over transformers", "podium-bf16", "transformers-bf16", "streams-16", _SPEED, 4, True),
    ("qwen2", "16 streams: int8 over vLLM", "podium-int8", "vllm-bf16", "streams-16", _SPEED, 1.1, True),
    ("qwen2", "16 streams: bf16 over vLLM", "podium-bf16", "vllm-bf16", "streams-16", _SPEED, 1.0, True),
    ("gpt2", "staggered: p95 ITL, int8 over vLLM", "podium-int8", "vllm-bf16", "staggered", _P95, 1.0, False),
    ("gpt2", "staggered: p95 ITL, bf16 over vLLM", "podium-bf16", "vllm-bf16", "staggered", _P95, 1.0, False),
    ("gpt2", "staggered: tokens/s, int8 over vLLM", "podium-int8", "vllm-bf16", "staggered", _SPEED, 1.0, True),
    ("gpt2", "shared prefix: wall, int8 over vLLM", "podium-int8", "vllm-bf16", "shared-prefix", _TIME, 1.0, False),
    ("gpt2", "shared prefix: wall, bf16 over vLLM", "podium-bf16", "vllm-bf16", "shared-prefix", _TIME, 1.0, False),
)


def _failures(records: Records) -> str:
    lines = [
        f"- round {record['round']}, {record['model']}, {record['peer']}: {record['error'].splitlines()[0][:200]}"
        for record in _kind(records, "failure")
    ]
    return "## Failures\n\n" + "\n".join(lines) + "\n" if lines else ""


def _kind(records: Records, kind: str) -> Records:
    return [record for record in records if record["kind"] == kind]


def _runs(records: Records, model: str) -> Records:
    return [record for record in _kind(records, "run") if record["model"] == model]


def _peers(runs: Records, workload: str) -> list[str]:
    return list(dict.fromkeys(run["peer"] for run in runs if run["workload"] == workload))


def _median(records: Records, model: str, workload: str, peer: str, name: str) -> float:
    runs = [run for run in _runs(records, model) if run["workload"] == workload and run["peer"] == peer]
    return float(statistics.median(run["values"][name] for run in runs))


def _ratios(records: Records, model: str, ours: str, theirs: str, workload: str, name: str) -> list[float]:
    """One ratio for each round in which both ran."""
    values: dict[str, dict[int, list[float]]] = {ours: {}, theirs: {}}
    for run in _runs(records, model):
        if run["workload"] == workload and run["peer"] in values:
            values[run["peer"]].setdefault(run["round"], []).append(run["values"][name])
    both = values[ours].keys() & values[theirs].keys()
    return [statistics.median(values[ours][n]) / statistics.median(values[theirs][n]) for n in sorted(both)]


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{found[0]:.3f}" if len(found) == 1 else f"{found[0]:.3f} to {found[-1]:.3f}"


def _mib(amount: float) -> str:
    return f"{amount / 2**20:.0f} MiB"


def _yes(met: bool) -> str:  # noqa: FBT001 - a private word
    return "yes" if met else "**no**"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
