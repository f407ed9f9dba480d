"""Recent requests: the slowest of ten minutes and the last fifty, for those who may read metrics, without any text."""

from __future__ import annotations

import msgspec
import pytest

from podium.api.admin_app import create_admin_app
from podium.api.app import create_app
from podium.api.recent_requests import MOST_NEWEST, MOST_SLOWEST, SPAN_SECONDS, SPANS, RecentRequests
from podium.api.record import RequestRecord
from podium.core.identity import Principal, Role
from podium.protocols.recent_requests import RecentRequest, RecentRequestsAnswer
from support.asgi import JSON_HEADERS, call
from support.http_doubles import FakeGatekeeper, fake_backend
from support.monitor import Clock

CANARY = "canary-prompt-7431"
KEY = [*JSON_HEADERS, ("authorization", f"Bearer {CANARY}")]


def lasted(seconds: float, name: str = "r") -> RequestRecord:
    return RequestRecord(request_id=name, e2e_seconds=seconds)


def times(found: list[RecentRequest]) -> list[float]:
    return [one.e2e_seconds for one in found]


def test_the_slowest_come_first_and_the_newest_are_the_last_that_ended() -> None:
    recent = RecentRequests()
    for seconds in (0.5, 3.0, 1.0):
        recent.note(lasted(seconds))
    answer = recent.answer()
    assert times(answer.slowest) == [3.0, 1.0, 0.5]
    assert times(answer.newest) == [1.0, 3.0, 0.5]


def test_however_many_end_no_more_is_kept_and_the_slowest_are_among_it() -> None:
    clock = Clock()
    recent = RecentRequests(clock)
    for number in range(5000):
        clock.now += 0.2
        recent.note(lasted(100.0 if number == 3700 else number % 7))
    answer = recent.answer()
    assert (len(answer.slowest), len(answer.newest)) == (MOST_SLOWEST, MOST_NEWEST)
    assert times(answer.slowest)[:2] == [100.0, 6.0]
    assert sum(len(entries) for _, entries in recent._spans) <= MOST_SLOWEST * (SPANS + 1)


def test_a_slow_one_grows_old_and_makes_room_for_those_that_it_had_hidden() -> None:
    clock = Clock()
    recent = RecentRequests(clock)
    for number in range(MOST_SLOWEST):
        recent.note(lasted(9.0 + number))
    clock.now += SPAN_SECONDS
    recent.note(lasted(1.0, "hidden"))
    assert "hidden" not in [one.request_id for one in recent.answer().slowest]
    clock.now += (SPANS - 1) * SPAN_SECONDS + 1
    assert [one.request_id for one in recent.answer().slowest] == ["hidden"]


def test_a_request_is_told_with_its_id_and_figures_and_no_text_of_its_caller() -> None:
    keys = {CANARY: Principal(tenant="acme-tenant", key_id="acme-key", roles=frozenset({"infer", "metrics"}))}
    app = create_app(fake_backend(gatekeeper=FakeGatekeeper(keys)))
    body = {"prompt": CANARY, "max_new_tokens": 5, "stop": [CANARY]}
    call(app, "POST", "/generate", body, query=CANARY, headers=[*KEY, ("x-request-id", "mine-7")])
    call(app, "POST", "/generate", {"model": CANARY, "prompt": "x"}, headers=KEY)
    answer = call(app, "GET", "/requests/recent", headers=KEY)
    told = msgspec.json.decode(answer.body, type=RecentRequestsAnswer)
    failed, good = told.newest
    assert (good.request_id, good.route, good.model, good.outcome) == ("mine-7", "/generate", "demo", "ok")
    assert (good.prompt_tokens, good.output_tokens, good.status) == (1, 5, 200)
    assert good.ttft_seconds is not None
    assert (failed.outcome, failed.model, failed.error_code) == ("client_error", "none", "model_not_found")
    assert answer.headers["cache-control"] == "no-store"
    for secret in (CANARY, "acme-tenant", "acme-key"):
        assert secret.encode() not in answer.body


def test_probes_and_the_monitors_own_questions_are_not_told() -> None:
    app = create_app(fake_backend())
    for path in ("/livez", "/readyz", "/metrics", "/requests/recent"):
        call(app, "GET", path)
    assert call(app, "GET", "/requests/recent").json["newest"] == []


@pytest.mark.parametrize("role", ["infer", "metrics", "admin"])
def test_on_the_admin_port_they_are_for_those_who_may_read_metrics(role: Role) -> None:
    keys = {CANARY: Principal(tenant="t", key_id="k", roles=frozenset({role}))}
    app = create_admin_app(fake_backend(gatekeeper=FakeGatekeeper(keys)))
    assert call(app, "GET", "/requests/recent", headers=KEY).status == (403 if role == "infer" else 200)
    assert call(app, "GET", "/requests/recent", headers=[*JSON_HEADERS, ("x-api-key", "wrong")]).status == 401
