"""Every query that Podium ships has a finite value on a real Prometheus that reads a real server under load.

The queries are those of the rules, of the dashboard and of the scaler. A server without a GPU has no series of one, so
GPUs come from a page of ours that the same code makes; the controller's page likewise.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from podium.config.settings import Settings
from podium.deploy.kubernetes.autoscaling import load_query
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.conditions import conditions_of
from podium.deploy.prometheus.files import rule_file
from podium.deploy.prometheus.objectives import recordings
from podium.deploy.prometheus.panels import ROWS, WINDOW
from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import catalog_of
from podium.monitor.monitor import Monitor
from podium.monitor.own_metrics import NoControlPlane, exposition
from podium.monitor.rules import rules_of
from podium.monitor.webhooks import Counts, Deliveries
from podium.telemetry.gpus import GpuReading
from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.shared_state import SharedState
from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until
from support.prometheus import Prometheus, running_prometheus
from support.require import require_program

GIVEN = Settings().monitor
PAGES = "pages"
"""The instance whose page a test makes: GPUs, a shared store, a controller with a receiver."""


class Store:
    """A shared store that is well."""

    purpose, failures, state = "cache", 0, "closed"


class Receiver:
    """A receiver that got a message."""

    host = "hooks.example"

    counts = Counts(delivered=1)


def made_page() -> bytes:
    """What a server with a GPU and a store shows, and what a controller shows, in one page."""
    gpu = GpuReading(0, used_bytes=50, size_bytes=100, utilization_ratio=0.5, energy_joules=10.0, xid_errors=0)
    server = ServerMetrics(list, version="1", shared=SharedState(stores=[Store()]), gpus=lambda: [gpu])
    deliveries = Deliveries(())
    deliveries.receivers = (Receiver(),)  # type: ignore[assignment]
    catalog = catalog_of(["blue"], ["echo"])
    book = AlertBook(rules_of(GIVEN))
    monitor = Monitor([], catalog, book)
    book.evaluate(monitor.windows, [], now=1.0, wall=1.0)
    wanted = ("podium_gpu", "podium_store", "podium_monitor", "podium_alert", "podium_gateway", "podium_rollout")
    lines = server.exposition().body.splitlines() + exposition(monitor, deliveries, NoControlPlane()).splitlines()
    return b"\n".join(line for line in lines if line.decode().startswith(wanted)) + b"\n"


@contextmanager
def page_served(body: bytes) -> Iterator[str]:
    """``host:port`` of a page that never changes."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, name="page")
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def config(*, servers: list[str], pages: list[str] | None = None, rules: Path | None = None) -> dict[str, Any]:
    labels = {"namespace": "podium", "environment": "blue"}
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)] if rules else [],
        "scrape_configs": [
            {"job_name": "podium", "static_configs": [{"targets": servers, "labels": labels}]},
            {"job_name": "pages", "static_configs": [{"targets": pages or []}]},
        ],
    }


def rules_in(folder: Path, settings: Settings, *, hasty: bool = False) -> Path:
    """The exported rules, evaluated each second; ``hasty``: none waits but those on absent data."""
    content = rule_file(settings)
    for group in content["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"] if hasty else ():
            if "absent" not in rule["expr"]:  # before the first scrape everything is
                rule.pop("for", None)
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump(content))
    return path


class Load:
    """Requests that go on until the test has seen enough: the same prompt again and again, and new ones."""

    def __init__(self, server: ServerProcess, prompts: list[str], *, max_tokens: int = 4) -> None:
        self._server, self._prompts, self._max_tokens = server, prompts, max_tokens
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            count = 0
            while not self._stop.is_set():
                prompt = self._prompts[count % len(self._prompts)].replace("#", f"{number}.{count}")
                body = {"model": "echo", "prompt": prompt, "max_tokens": self._max_tokens, "temperature": 0}
                client.post(f"{self._server.traffic}/v1/completions", json=body)
                count += 1


FAST = {"name": "echo", "source": "none", "engine": {"kind": "echo", "faults": True, "token_interval_seconds": 0.002}}
FAULTY = ["fault:error@1 #", "fault:slow@1 new #", "new #"]
MIXED = ["the same"] * 9 + ["new #"]


def shipped() -> dict[str, str]:
    """Every query, by where it stands, in the words of Prometheus."""
    found = {f"alert {each.name}": each.value for each in conditions_of(GIVEN)}
    found |= {f"guard of {each.name}": _bare(each) for each in conditions_of(GIVEN) if "increase" in each.guard}
    found |= {f"record {rule['record']} {rule['labels']}": rule["expr"] for rule in recordings(GIVEN)}
    panels = [panel for row in ROWS.values() for panel in row]
    for panel in panels:
        for legend, query in panel.queries.items():
            told = query.replace(WINDOW, "1m").replace("$model", ".*")
            found[f"panel {panel.title} {legend}"] = told
    found["scaler"] = load_query("podium", "blue")
    return found


def _bare(condition: Condition) -> str:
    """A guard without its comparison, so that it has a value whatever the traffic is."""
    return condition.guard.rpartition("\nand\n")[2].rpartition(" >= ")[0]


def fruitless(prometheus: Prometheus, queries: Mapping[str, str]) -> dict[str, list[float]]:
    """The queries that return nothing, or nothing finite."""
    answers = {where: prometheus.ask(query) for where, query in queries.items()}
    return {
        where: values
        for where, values in answers.items()
        if not values or not any(math.isfinite(value) for value in values)
    }


@pytest.mark.slow
def test_every_query_that_is_shipped_has_a_finite_value_and_no_alert_fires_in_a_clean_run(tmp_path: Path) -> None:
    require_program("prometheus")
    rules = rules_in(tmp_path, Settings.model_validate(SOON), hasty=True)
    with server_process(FAST) as server, page_served(made_page()) as page, Load(server, MIXED):
        given = config(servers=[server.admin.removeprefix("http://")], pages=[page], rules=rules)
        with running_prometheus(given, tmp_path) as prometheus:
            until("every query has a value", lambda: not fruitless(prometheus, shipped()), seconds=60)
            until("there is enough to judge", lambda: _is_judged(prometheus), seconds=60)
            assert prometheus.firing() == {"Watchdog"}


def test_a_query_of_a_name_that_no_server_has_is_noticed(tmp_path: Path) -> None:
    require_program("prometheus")
    queries = {"known": "vector(1)", "renamed": "sum(podium_requests_old_total)", "of nothing": "vector(0) / 0"}
    with running_prometheus(config(servers=[]), tmp_path) as prometheus:
        assert set(fruitless(prometheus, queries)) == {"renamed", "of nothing"}


SOON = {"monitor": {"min_requests": 5, "min_cacheable_requests": 5}}
ALERTS_OF_A_FAULT = {"HighErrorRate", "HighLatencyP95", "CacheHitRateLow", "ErrorBudgetBurn1h", "EngineStalled"}
HASTY = {"monitor": {"min_requests": 5, "min_cacheable_requests": 5, "max_p95_seconds": 0.5, "stalled_seconds": 3}}


@pytest.mark.slow
def test_alerts_fire_in_a_run_with_faults(tmp_path: Path) -> None:
    """Failures, slow answers, answers that are never kept, and at last an engine whose step never returns."""
    with watched(tmp_path, FAULTY) as (server, prometheus):
        wanted = ALERTS_OF_A_FAULT - {"EngineStalled"}
        until("the alerts fire", lambda: wanted <= prometheus.firing(), seconds=60)
        server.post("/v1/completions", {"model": "echo", "prompt": "fault:hang@1 and more", "max_tokens": 9})
        # The answer comes when the worker has been replaced, so the stall lies behind it.
        assert "EngineStalled" in _fired(prometheus)


@contextmanager
def watched(folder: Path, prompts: list[str]) -> Iterator[tuple[ServerProcess, Prometheus]]:
    """A server under load, and a Prometheus with rules that wait for little."""
    require_program("prometheus")
    rules = rules_in(folder, Settings.model_validate(HASTY), hasty=True)
    with server_process(FAST, server={"stall_seconds": 8}) as server, Load(server, prompts):
        given = config(servers=[server.admin.removeprefix("http://")], rules=rules)
        with running_prometheus(given, folder) as prometheus:
            yield server, prometheus


def _fired(prometheus: Prometheus) -> str:
    """Which of the alerts fired within the last minute."""
    names = ALERTS_OF_A_FAULT
    query = 'max_over_time(ALERTS{alertname="%s",alertstate="firing"}[1m])'
    return " ".join(name for name in sorted(names) if prometheus.ask(query % name))


def _is_judged(prometheus: Prometheus) -> bool:
    """Whether enough requests were seen for every guard."""
    recorded = prometheus.ask("slo:sli_error:ratio_rate1h")
    return bool(recorded) and (prometheus.ask("sum(increase(podium_cache_requests_total[15m]))") or [0])[0] > 150
