"""The control routes: who may use them, and what they say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import ASGIApp

from podium.access.gatekeeper import Gatekeeper
from podium.access.key_record import KeyRecord
from podium.api.control import rollouts as rollout_routes
from podium.api.control import traffic as traffic_routes
from podium.api.control.app import create_control_app
from podium.api.control.control import Control
from podium.api.direct_route import DirectRoute
from podium.config.access import Access
from podium.config.server import RequestLimits
from podium.core.errors import GatewayRejected, NotFound
from podium.core.identity import ROLES, Role
from podium.protocols.control import EndpointBody, EnvironmentBody, TrafficAnswer
from podium.protocols.rollouts import DecisionRequest, RolloutRequest
from support.asgi import call
from support.http_routes import METHODS
from support.keys import NOW, new_key


class Directory:
    """Keys that are simply there."""

    loaded = True

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.has_keys = bool(records)

    def find(self, key_id: str) -> KeyRecord | None:
        return self.records.get(key_id)


class FakeTraffic:
    """Keeps what it is told."""

    def __init__(self, *, confirmed: bool = True) -> None:
        self.confirmed = confirmed
        self.weights: dict[str, float] = {"blue": 100.0}
        self.refusal: Exception | None = None

    async def show(self) -> TrafficAnswer:
        blue = EnvironmentBody(weight=self.weights["blue"], endpoints=[EndpointBody(address="a:1", healthy=True)])
        return TrafficAnswer(
            stable="blue", weights=self.weights, confirmed=True, gateways=1, version="v", environments={"blue": blue}
        )

    async def set_weights(self, weights: Mapping[str, float]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.weights = dict(weights)


class FakeRollouts:
    """Answers everything, and keeps who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, str]] = []

    async def plan(self, wish: RolloutRequest) -> Any:
        return self._answer("plan", wish, "")

    async def start(self, wish: RolloutRequest, *, actor: str) -> Any:
        return self._answer("start", wish, actor)

    async def current(self) -> Any:
        raise NotFound("There has been no rollout yet.")

    async def overview(self) -> Any:
        return self._answer("overview", None, "")

    async def events(self, after: int) -> Any:
        return self._answer("events", after, "")

    async def approve(self, decision: DecisionRequest, *, actor: str) -> Any:
        return self._answer("approve", decision, actor)

    async def abort(self, decision: DecisionRequest, *, actor: str) -> Any:
        return self._answer("abort", decision, actor)

    async def promote(self, decision: DecisionRequest, *, actor: str) -> Any:
        return self._answer("promote", decision, actor)

    def _answer(self, what: str, given: Any, actor: str) -> dict[str, str]:
        self.asked.append((what, given, actor))
        return {"what": what}


def app_of(
    traffic: FakeTraffic, *records: KeyRecord, anonymous: Any = "loopback", rollouts: FakeRollouts | None = None
) -> ASGIApp:
    directory: Any = Directory(*records)
    gatekeeper = Gatekeeper(Access(anonymous=anonymous), directory, clock=lambda: NOW)
    return create_control_app(Control(traffic, rollouts or FakeRollouts(), gatekeeper, RequestLimits(), "127.0.0.1"))


def owner(text: str) -> list[tuple[str, str]]:
    return [*LOCAL, ("authorization", f"Bearer {text}")]


LOCAL = (("host", "localhost"), ("content-type", "application/json"))
BODY = json.dumps({"weights": {"blue": 100}}).encode()
ROUTES = {
    (route.path, method)
    for route in (*traffic_routes.router.routes, *rollout_routes.router.routes)
    if isinstance(route, DirectRoute)
    for method in route.methods or ()
}
PATHS = (
    *sorted({path for path, _ in ROUTES}),
    "/control",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/monitoring/alerts",
    "/page/x",
)


def test_without_a_key_only_the_probes_are_open() -> None:
    traffic = FakeTraffic()
    app = app_of(traffic, new_key()[1])
    for path, method in itertools.product(PATHS, METHODS):
        assert call(app, method, path, headers=LOCAL, body=BODY).status == 401
    assert call(app, "GET", "/livez").status == 200
    assert call(app, "GET", "/readyz").status == 200


@pytest.mark.parametrize("role", ROLES)
def test_only_an_admin_may_look_or_change(role: Role) -> None:
    text, record = new_key(roles=(role,))
    app = app_of(FakeTraffic(), record)
    expected = 200 if role == "admin" else 403
    for method in ("GET", "PUT"):
        assert call(app, method, "/control/traffic", headers=owner(text), body=BODY).status == expected


@pytest.mark.parametrize("role", ROLES)
def test_every_control_route_takes_an_admin(role: Role) -> None:
    text, record = new_key(roles=(role,))
    app = app_of(FakeTraffic(), record)
    assert len(ROUTES) == 10
    for path, method in sorted(ROUTES):
        status = call(app, method, path, headers=owner(text), body=BODY).status
        assert (status == 403) == (role != "admin"), (path, method, status)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "asked"),
    [
        ("POST", "/control/rollouts", {"environment": "green"}, 201, "start"),
        ("POST", "/control/rollouts/plan", {"environment": "green"}, 200, "plan"),
        ("GET", "/control/rollouts", None, 200, "overview"),
        ("GET", "/control/rollouts/events", None, 200, "events"),
        ("POST", "/control/rollouts/current/approve", {"reason": "r", "number": 2, "last_seq": 9}, 200, "approve"),
        ("POST", "/control/rollouts/current/abort", {"reason": "r"}, 200, "abort"),
        ("POST", "/control/rollouts/current/promote", None, 200, "promote"),
    ],
)
def test_each_rollout_route_asks_the_controller_and_names_who_asked(
    method: str, path: str, body: Any, status: int, asked: str
) -> None:
    text, record = new_key(roles=("admin",))
    rollouts = FakeRollouts()
    content = b"" if body is None else json.dumps(body).encode()
    app = app_of(FakeTraffic(), record, rollouts=rollouts)
    query = "after=7" if asked == "events" else ""
    answer = call(app, method, path, headers=owner(text), body=content, query=query)
    assert answer.status == status, answer.body
    ((what, given, actor),) = rollouts.asked
    assert what == asked
    assert actor == ("" if asked in {"plan", "overview", "events"} else record.id)
    wishes = [DecisionRequest(), DecisionRequest(reason="r"), DecisionRequest(reason="r", number=2, last_seq=9)]
    assert given in [7, None, *wishes] or given.environment == "green"


def test_without_keys_the_actor_is_local() -> None:
    rollouts = FakeRollouts()
    call(app_of(FakeTraffic(), rollouts=rollouts), "POST", "/control/rollouts/current/abort", headers=LOCAL)
    assert rollouts.asked == [("abort", DecisionRequest(), "local")]


def test_where_there_never_was_a_rollout_the_answer_says_so() -> None:
    answer = call(app_of(FakeTraffic()), "GET", "/control/rollouts/current", headers=LOCAL)
    assert (answer.status, json.loads(answer.body)["error"]["message"]) == (404, "There has been no rollout yet.")


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "9" * 20, "%C2%B2"])
def test_a_number_of_an_event_that_is_none_is_refused(after: str) -> None:
    answer = call(app_of(FakeTraffic()), "GET", "/control/rollouts/events", headers=LOCAL, query=f"after={after}")
    assert answer.status == 400


@pytest.mark.parametrize(
    "body", [b"{}", b'{"environment": 1}', b'{"environment": "green", "strategy": "shadow"}', b"[]"]
)
def test_a_wish_of_another_shape_is_refused(body: bytes) -> None:
    assert call(app_of(FakeTraffic()), "POST", "/control/rollouts", headers=LOCAL, body=body).status == 400


def test_a_page_of_a_foreign_site_is_no_local_caller() -> None:
    app = app_of(FakeTraffic())
    assert call(app, "GET", "/control/traffic", headers=LOCAL).status == 200
    foreign = [*LOCAL, ("origin", "https://evil.example")]
    assert call(app, "PUT", "/control/traffic", headers=foreign, body=BODY).status == 401


def test_what_the_gateway_says_reaches_the_caller() -> None:
    traffic = FakeTraffic()
    traffic.refusal = GatewayRejected("It says: no such thing")
    answer = call(app_of(traffic), "PUT", "/control/traffic", headers=LOCAL, body=BODY)
    assert answer.status == 409
    assert json.loads(answer.body)["error"]["message"] == "It says: no such thing"


@pytest.mark.parametrize("body", [b"{}", b'{"weights": []}', b'{"weights": {"blue": "100"}}', b"[]", b""])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    assert call(app_of(FakeTraffic()), "PUT", "/control/traffic", headers=LOCAL, body=body).status == 400


def test_it_is_ready_when_the_gateway_has_confirmed() -> None:
    assert call(app_of(FakeTraffic(confirmed=False)), "GET", "/readyz").status == 503
