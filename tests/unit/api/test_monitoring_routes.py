"""The monitoring routes and the page: who may see them, what they say, and how little the page may do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.routing import Route
from starlette.types import ASGIApp

from podium.access.gatekeeper import Gatekeeper
from podium.access.key_record import KeyRecord
from podium.api.control import dashboard
from podium.api.control.app import create_control_app, create_scrape_app
from podium.api.control.control import Control
from podium.api.roles import CONTROL_ROLES, PROBES, role_for
from podium.config.access import Access
from podium.config.monitor import Monitor as Thresholds
from podium.config.server import RequestLimits
from podium.core.identity import ROLES, Role
from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import catalog_of
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.view import MonitorView
from support.asgi import call
from support.http_routes import METHODS
from support.keys import NOW, new_key

LOCAL = (("host", "localhost"),)
CONTROL_PATHS = ("/control/traffic", "/control/rollouts", "/control/rollouts/current")
ROUTES = (
    "/monitoring/metrics", "/monitoring/dashboard", "/monitoring/alerts", "/monitoring/health", "/monitoring/targets",
)  # fmt: skip
MOST_PAGE_BYTES = 300_000
MARKUP = re.compile(r"innerHTML\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(|new Function")


class Directory:
    """Keys that are simply there."""

    loaded = True

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.has_keys = bool(records)

    def find(self, key_id: str) -> KeyRecord | None:
        return self.records.get(key_id)


def app_of(*records: KeyRecord) -> ASGIApp:
    return create_control_app(control_of(*records))


def control_of(*records: KeyRecord) -> Control:
    directory: Any = Directory(*records)
    nothing: Any = None
    monitor = Monitor([], catalog_of(["blue"], ["m"]), AlertBook(rules_of(Thresholds())))
    gatekeeper = Gatekeeper(Access(), directory, clock=lambda: NOW)
    return Control(nothing, nothing, gatekeeper, RequestLimits(), "127.0.0.1", monitoring=MonitorView(monitor))


def test_every_row_of_the_control_port_is_a_route() -> None:
    app: Any = app_of()
    there = {(route.path, method) for route in app.routes if isinstance(route, Route) for method in route.methods or ()}
    assert set(CONTROL_ROLES) <= there
    assert {path for path, _ in CONTROL_ROLES} == set(ROUTES)
    assert role_for("/control/traffic", "GET") == "admin"
    assert role_for("/monitoring/alerts", "POST") == "admin"


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("role", ROLES)
def test_figures_are_for_those_who_may_read_metrics(path: str, role: Role) -> None:
    text, record = new_key(roles=(role,))
    app = app_of(record)
    assert call(app, "GET", path, headers=LOCAL).status == 401
    answer = call(app, "GET", path, headers=[*LOCAL, ("authorization", f"Bearer {text}")])
    assert answer.status == (403 if role == "infer" else 200)
    assert answer.status == 403 or answer.headers["cache-control"] == "no-store"


def test_a_port_for_scrapes_has_the_figures_for_who_may_read_them_and_nothing_else() -> None:
    text, record = new_key(roles=("metrics",))
    admin, admins = new_key(roles=("admin",))
    app = create_scrape_app(replace(control_of(record, admins), address="0.0.0.0"))  # noqa: S104 - as in a pod
    assert call(app, "GET", "/monitoring/metrics", headers=LOCAL).status == 401
    key, all_powerful = (("authorization", f"Bearer {each}") for each in (text, admin))
    assert b"podium_monitor_last_round" in call(app, "GET", "/monitoring/metrics", headers=[*LOCAL, key]).body
    others = [path for path in (*CONTROL_PATHS, *ROUTES, *sorted(PROBES), "/") if path != "/monitoring/metrics"]
    assert {call(app, "GET", path, headers=[*LOCAL, all_powerful]).status for path in others} == {404}


def test_the_page_is_open_to_everyone_by_its_exact_paths_and_nothing_beside_it() -> None:
    app = app_of(new_key()[1])
    for path in sorted(dashboard.PATHS):
        assert call(app, "GET", path, headers=LOCAL).status == 200
        assert all(call(app, method, path, headers=LOCAL).status == 405 for method in METHODS if method != "GET")
        for odd in (path + "\n", path + "/", "/" + path, path + "?x", path + "%00"):
            assert odd in dashboard.PATHS or call(app, "GET", odd, headers=LOCAL).status == 401
    assert not dashboard.PATHS & PROBES


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "index.html", "/etc/passwd", "nothing.js", ""])
def test_no_other_file_can_be_had(name: str) -> None:
    assert call(app_of(), "GET", f"/page/{name}", headers=LOCAL).status == 404


def test_the_page_may_run_its_own_files_only() -> None:
    answer = call(app_of(), "GET", "/", headers=LOCAL)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    text = answer.body.decode()
    assert re.findall(r"\son\w+=|style=|<script>|<style>|javascript:", text) == []
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    assert [address for address in addresses if address not in dashboard.PATHS and not address.startswith("#")] == []


def test_its_files_name_no_other_host_and_read_no_text_as_markup() -> None:
    for name in dashboard.FILES:
        text = call(app_of(), "GET", f"/page/{name}", headers=LOCAL).body.decode()
        assert [found for found in re.findall(r"https?://[^\s\"')]+", text) if "www.w3.org" not in found] == [], name
        assert MARKUP.findall(text) == [], name
        for imported in re.findall(r'from "([^"]+)"', text):
            assert imported in dashboard.PATHS, f"{name} imports {imported}, which is not there"


def test_the_whole_page_is_small() -> None:
    app = app_of()
    sizes = [len(call(app, "GET", path, headers=LOCAL).body) for path in dashboard.PATHS]
    assert sum(sizes) < MOST_PAGE_BYTES


@pytest.mark.parametrize("span", ["5m", "1h", "24h"])
def test_figures_that_are_not_known_are_null(span: str) -> None:
    answer = call(app_of(), "GET", "/monitoring/dashboard", headers=LOCAL, query=f"span={span}").json
    assert answer["span"] == span
    assert set(answer["good"]) == set(answer["models"][0]["ttft_p95"]) == {None}
    assert len(answer["good"]) == answer["count"]


def test_a_span_that_is_not_there_is_refused_with_those_that_are() -> None:
    answer = call(app_of(), "GET", "/monitoring/dashboard", headers=LOCAL, query="span=2y")
    assert answer.status == 400
    assert "5m, 1h, 24h" in answer.json["error"]["message"]


def test_the_monitors_own_metrics_are_prometheus_text() -> None:
    answer = call(app_of(), "GET", "/monitoring/metrics", headers=LOCAL)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"podium_monitor_kept_bytes" in answer.body
