"""What the Grafana dashboard shows, as queries. ``scripts/dashboard.py`` makes the dashboard of it."""

from __future__ import annotations

from dataclasses import dataclass

from podium.deploy.prometheus.objectives import SERVICE
from podium.deploy.prometheus.promql import (
    MODELS,
    bad_requests,
    counted_requests,
    quantile,
    selector,
    total,
)
from podium.monitor.meaning import CACHE_HITS
from podium.telemetry import table
from podium.telemetry.metric import Metric

WINDOW = "$__rate_interval"
_MODEL = 'model=~"$model"'
_BY_MODEL = ("model",)
_COMPUTED = "Of computed answers that ended well; not of kept or shared ones."


@dataclass(frozen=True)
class Panel:
    """One chart: queries by legend, in Grafana's template language. ``needs``: without it, the chart is empty."""

    title: str
    unit: str
    queries: dict[str, str]
    description: str = ""
    needs: str = ""


def _sum(metric: Metric) -> str:
    return f"sum by (model) ({selector(metric, _MODEL)})"


def _hit_rate() -> str:
    hits = "|".join(sorted(CACHE_HITS))
    kept = total("rate", selector(table.CACHE_REQUESTS, f'status=~"{hits}"', _MODEL), WINDOW, _BY_MODEL)
    cacheable = total("rate", selector(table.CACHE_REQUESTS, f'status=~"{hits}|miss"', _MODEL), WINDOW, _BY_MODEL)
    return f"{kept}\n/\n{cacheable}"


def _busy() -> str:
    by = ("instance",)
    busy = total("rate", selector(table.HOST_CPU, 'mode="busy"'), WINDOW, by)
    return f"{busy}\n/\n{total('rate', table.HOST_CPU.name, WINDOW, by)}"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Requests": (
        Panel(
            "Requests by outcome", "reqps",
            {"{{outcome}}": total("rate", selector(table.REQUESTS, _MODEL), WINDOW, ("outcome",))},
        ),
        Panel(
            "Bad share", "percentunit",
            {"{{model}}": f"{bad_requests('rate', WINDOW, _BY_MODEL, MODELS, _MODEL)}\n/\n"
             f"{counted_requests('rate', WINDOW, _BY_MODEL, MODELS, _MODEL)}"},
            "Of good and bad requests; what callers ended is left out.",
        ),
        Panel("In flight", "short", {"requests": f"sum ({table.REQUESTS_IN_FLIGHT.name})"}),
    ),
    "Latency": tuple(
        Panel(title, "s", {f"p{share * 100:g} {{{{model}}}}": quantile(share, metric, WINDOW, MODELS, _MODEL)
                           for share in (0.5, 0.95, 0.99)}, told)
        for title, metric, told in (
            ("Time to the first token", table.TIME_TO_FIRST_TOKEN, _COMPUTED),
            ("Time per output token", table.TIME_PER_OUTPUT_TOKEN, _COMPUTED),
            ("End to end", table.REQUEST_DURATION, "Of answers that ended well, kept ones too."),
            ("Wait for the batch", table.QUEUE_DURATION, ""),
        )
    ),
    "Engines": (
        Panel(
            "Tokens", "short",
            {
                "output {{model}}": total("rate", selector(table.OUTPUT_TOKENS, MODELS, _MODEL), WINDOW, _BY_MODEL),
                "prompt {{model}}": total("rate", selector(table.PROMPT_TOKENS, MODELS, _MODEL), WINDOW, _BY_MODEL),
            },
            "A second; what engines computed.",
        ),
        Panel("Batch and queue", "short", {
            "running {{model}}": _sum(table.MODEL_RUNNING), "waiting {{model}}": _sum(table.MODEL_WAITING),
            "most running {{model}}": _sum(table.RUNNING_LIMIT),
        }),
        Panel("KV cache", "percentunit", {"{{model}}": f"max by (model) ({selector(table.KV_CACHE_USAGE, _MODEL)})"}),
        Panel("Workers replaced", "short",
              {"{{model}}": total("increase", selector(table.WORKER_RESTARTS, _MODEL), WINDOW, _BY_MODEL)}),
    ),
    "Cache and limits": (
        Panel("Kept answers", "percentunit", {"{{model}}": _hit_rate()}),
        Panel("Refused by quotas", "reqps",
              {"{{quota}} of {{scope}}": total("rate", table.QUOTA_REFUSALS.name, WINDOW, ("scope", "quota"))}),
    ),
    "Machines": (
        Panel("Memory", "bytes", {
            "workers {{instance}}": f"sum by (instance) ({table.MODEL_MEMORY.name})",
            "API process {{instance}}": table.PROCESS_MEMORY.name,
            "available {{instance}}": table.HOST_MEMORY_AVAILABLE.name,
        }),
        Panel("Processors", "percentunit", {"{{instance}}": _busy()}),
        Panel("GPU memory", "percentunit",
              {"{{instance}} {{gpu}}":
               f"{table.GPU_MEMORY_USED.name}\n/ on (instance, gpu)\n{table.GPU_MEMORY_SIZE.name}"},
              needs="a GPU"),
        Panel("GPU power", "watt", {"{{instance}} {{gpu}}": f"rate({table.GPU_ENERGY.name}[{WINDOW}])"}, needs="a GPU"),
    ),
    "Objective": (
        Panel("Error budget that is left", "percentunit",
              {"availability": f'slo:period_error_budget_remaining:ratio{{sloth_service="{SERVICE}"}}'}, "Of 30 days."),
        Panel("Burn rate", "short", {"now": f'slo:current_burn_rate:ratio{{sloth_service="{SERVICE}"}}'}),
    ),
}  # fmt: skip
