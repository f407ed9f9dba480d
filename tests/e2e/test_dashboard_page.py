"""The page of the control port in a real browser, before a real stack under real traffic."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.browser import Page, browser
from support.command import podium
from support.deadline import until
from support.far_replica import FarReplica
from support.gateway_stack import RunningStack, running_stack

pytestmark = pytest.mark.slow

MODEL = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.01}}
CHARTS = (
    "Requests a second",
    "At the gateway, a second",
    "Time to first token",
    "Time per output token",
    "End-to-end time",
    "Tokens a second",
    "Batch and queue",
    "Caches",
    "Memory of the workers",
)


@pytest.fixture(scope="module")
def far() -> Iterator[FarReplica]:
    """A server elsewhere, with two GPUs."""
    with FarReplica() as replica:
        yield replica


@pytest.fixture(scope="module")
def stack(far: FarReplica, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Two environments and a server elsewhere; a rollout waits long enough to be aborted by hand."""
    folder = tmp_path_factory.mktemp("dashboard")
    rollout = {"min_soak_seconds": 600, "interval_seconds": 1}
    environments = {
        "blue": {"replicas": 1},
        "green": {"replicas": 1},
        "far": {"endpoints": [far.address], "metrics": [far.address]},
    }
    gateway = {"environments": environments, "weights": {"blue": 100}}
    with running_stack(folder, models=[MODEL], gateway=gateway, rollout=rollout) as running:
        yield running


@pytest.fixture(scope="module")
def page(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, opened once, while requests come in."""
    with traffic(stack), browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.open(stack.control + "/")
        opened.look(width=1280)
        yield opened


@contextmanager
def traffic(stack: RunningStack) -> Iterator[None]:
    """A request after the other, half of them the same, so that every chart has something to show."""
    over = threading.Event()

    def ask() -> None:
        number = 0
        with httpx.Client(timeout=30) as client:
            while not over.is_set():
                number += 1
                prompt = "the same" if number % 2 else f"number {number}"
                body = {"model": "echo", "prompt": prompt, "max_tokens": 8, "temperature": 0}
                client.post(f"{stack.gateway}/v1/completions", json=body)

    thread = threading.Thread(target=ask, name="clients")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def described(page: Page, chart: str) -> str:
    """What a chart says of itself to those who do not see it."""
    return str(page.run(f"document.querySelector('section[aria-label={json.dumps(chart)}] svg')?.ariaLabel ?? ''"))


def test_every_chart_shows_live_figures(page: Page) -> None:
    def silent() -> list[str]:
        return [
            chart for chart in CHARTS if "Now: " not in described(page, chart) or "not known" in described(page, chart)
        ]

    until("every chart shows figures", lambda: not silent(), seconds=60)
    lines = "[...document.querySelectorAll('.plot path.s1:not(.area)')].filter((one) => one.getAttribute('d')).length"
    page.wait_for("every chart has a line", f"{lines} >= {len(CHARTS)}")
    assert page.text("#status") == "healthy"


def test_it_moves_once_a_second(page: Page) -> None:
    seen = page.text("#age")
    page.wait_for("the next figures are there", f"document.querySelector('#age').innerText !== {json.dumps(seen)}")


def test_replicas_and_alerts_are_listed(page: Page) -> None:
    page.wait_for("replicas are there", "document.querySelectorAll('#replicas tbody tr').length === 4")
    for words in ("gateway", "blue-1", "green-1", "far-1"):
        assert words in page.text("#replicas")
    assert "HighErrorRate" in page.text("#alerts")
    assert "the shared store" not in page.text("#firing")
    assert "No alert has fired" in page.text("#past")


def test_models_are_listed_with_their_batch_queue_and_memory(page: Page) -> None:
    page.wait_for("figures are there", "/ B| kB| MB| GB/.test(document.querySelector('#model-list').innerText)")
    told = page.text("#model-list")
    for words in ("echo", "2 ready", "of ", "MB"):
        assert words in told


def test_the_slowest_and_the_newest_requests_are_told_by_their_ids(page: Page, stack: RunningStack) -> None:
    body = {"model": "echo", "prompt": "slow one " * 40, "max_tokens": 150}
    answer = httpx.post(f"{stack.gateway}/v1/completions", json=body, timeout=60)
    name = answer.headers["x-request-id"]
    for panel in ("#slowest", "#newest"):
        page.wait_for(f"{panel} has it", f"document.querySelector('{panel}').innerText.includes({json.dumps(name)})")
    rows = page.run("[...document.querySelectorAll('#slowest tbody tr')].map((row) => row.innerText)")
    (row,) = [row for row in rows if name in row]
    assert "150" in row
    assert "blue-1" in row
    assert "slow one" not in page.text("main")


def test_gpus_are_drawn_and_listed_with_their_power(page: Page) -> None:
    page.wait_for("their power is known", "/[1-9][0-9.]* W/.test(document.querySelector('#gpus tbody').innerText)")
    told = page.text("#gpus tbody")
    for words in ("GPU 0", "GPU 1", "far-1", "60 GB of 80 GB", "75 %", "50 %"):
        assert words in told
    assert "Now: " in described(page, "GPU power")
    assert "Now: " in described(page, "GPU memory and use")


def test_a_replica_that_answers_garbage_is_told_and_none_of_its_figures_is_a_zero(page: Page, far: FarReplica) -> None:
    far.speaks = False
    page.wait_for("it is told", "/garbage/.test(document.querySelector('#replicas').innerText)")
    page.wait_for("figures say what they leave out", "/far-1/.test(document.querySelector('#problems').innerText)")
    page.wait_for("so do requests", "/no list of requests/.test(document.querySelector('#slowest').innerText)")
    rows = page.run("[...document.querySelectorAll('#gpus tbody tr')].map((row) => row.innerText)")
    assert [re.findall(r"[0-9]+ (?:GB|%|W)", row) for row in rows] == [[], []]
    far.speaks = True
    page.wait_for("it is well again", "!document.querySelector('#problems').innerText")
    page.wait_for("so are its requests", "!document.querySelector('#slowest .gap')")


def test_the_error_budget_is_told_with_how_fast_it_burns(page: Page) -> None:
    page.wait_for("requests have been counted", "/budget is left/.test(document.querySelector('#budget').innerText)")
    told = page.text("#budget")
    assert "99 % of the requests should be good" in told
    assert "0 times as fast as it may" in told


def test_it_fits_a_phone(page: Page) -> None:
    page.look(width=390, dark=True)
    assert page.wait_for("it is laid out", "document.documentElement.clientWidth === 390")
    assert page.run("document.documentElement.scrollWidth") == 390
    page.look(width=1280)


def test_a_chart_is_walked_with_the_keyboard(page: Page) -> None:
    chart = "document.querySelector('#panels .plot svg')"
    page.run(f"{chart}.focus()")
    for _ in range(3):
        page.command("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
    page.wait_for("it tells of an earlier time", f"{chart}.ariaLabel.includes('6 s: good')")
    page.command("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    page.wait_for("it tells of now again", f"{chart}.ariaLabel.includes('Now: ')")


def test_a_rollout_is_aborted_by_its_button(page: Page, stack: RunningStack) -> None:
    assert "No rollout has run" in page.text("#rollout-body")
    started = httpx.post(
        f"{stack.control}/control/rollouts", json={"environment": "green", "revision": "v2"}, timeout=30
    )
    assert started.status_code == 201, started.text
    page.wait_for("evidence is drawn", "document.querySelector('.rollout-grid .plot path.s1')?.getAttribute('d')")
    assert "v2" in page.text("#rollout-body")
    page.run("document.querySelector('[data-decision=abort]').click()")
    page.run("document.querySelector('#decide-reason').value = 'seen enough'")
    page.run("document.querySelector('#decide-go').click()")
    page.wait_for(
        "the page tells that it is over", "document.querySelector('#rollout-body').innerText.includes('Last rollout')"
    )
    assert stack.traffic()["weights"] == {"blue": 100.0, "green": 0.0, "far": 0.0}
    assert httpx.get(f"{stack.control}/control/rollouts/current", timeout=10).json()["reason"] == "seen enough"
    assert "seen enough" in page.text("#rollout-body")


def test_a_dead_replica_is_shown_as_dead(page: Page, stack: RunningStack) -> None:
    replica = stack.child("serve", "--port", stack.traffic()["environments"]["green"]["endpoints"][0]["address"][-5:])
    replica.suspend()
    page.wait_for("it is no longer up", "/stale|down/.test(document.querySelector('#replicas').innerText)", seconds=30)
    page.wait_for(
        "the figures say what they leave out", "document.querySelector('#problems').innerText.includes('green-1')"
    )
    page.wait_for(
        "so do requests", "/green-1 it does not answer/.test(document.querySelector('#slowest').innerText)", seconds=30
    )
    page.wait_for("somebody is told", "document.querySelector('#firing').innerText.includes('ReplicaDown')", seconds=60)
    assert page.text("#status") == "unhealthy"
    replica.resume()
    page.wait_for("it is well again", "!document.querySelector('#firing').innerText", seconds=60)
    assert "ReplicaDown" in page.text("#past")


def test_the_browser_had_nothing_to_complain_about(page: Page) -> None:
    """No violation of the content policy, no script that threw. Where no rollout ran yet, asking for one is a 404."""
    assert [text for text in page.complaints if "/control/rollouts/current" not in text] == []


@pytest.mark.parametrize("body", ['{"at": 17', "{}", "<p>Who are you?</p>"], ids=["half", "other", "proxy"])
def test_an_answer_that_cannot_be_shown_is_told_and_the_page_goes_on(page: Page, body: str) -> None:
    """Such as one that breaks off in the middle, that of another version, or that of a proxy in between."""
    page.wait_for("figures are there", "document.querySelectorAll('#replicas tbody tr').length > 0")
    page.run("window.real ??= window.fetch")
    page.run(f"window.fetch = () => Promise.resolve(new Response({json.dumps(body)})), null")
    page.wait_for("it is told", "document.querySelector('main').classList.contains('stale')")
    assert page.text("#status") == "unknown"
    page.run("window.fetch = window.real, null")
    page.wait_for("it goes on", "!document.querySelector('main').classList.contains('stale')")


def test_a_value_that_stands_alone_is_drawn_as_a_dash(page: Page) -> None:
    """As the only one of a day's steps is, soon after a start."""
    page.wait_for("figures are there", "document.querySelectorAll('#replicas tbody tr').length > 0")
    drawn = "import('/page/axes.js').then(({line}) => line([null, 3, null, 4, 5], (at) => at, (value) => value))"
    assert page.run(drawn) == "M-0.5 3.0h3M3.0 4.0L4.0 5.0"


def test_over_a_day_the_figures_above_are_still_those_of_now(page: Page) -> None:
    """A step of its axis is ten minutes long."""
    page.wait_for("the page is there", "!!document.querySelector('#spans input')")
    page.run("document.querySelector('#spans input[value=\"24h\"]').click()")
    page.wait_for("it shows a day", "document.querySelector('#panels').textContent.includes('24 h')")
    page.run("window.real ??= window.fetch")
    quiet = "({...one, running: one.running.map(() => null)})"
    page.run(
        "window.fetch = async (path, ...more) => { const answer = await window.real(path, ...more);"
        " if (!path.endsWith('span=5m')) return answer; const told = await answer.json();"
        f" told.models = told.models.map((one) => {quiet}); return new Response(JSON.stringify(told)); }}, null"
    )
    running = "[...document.querySelectorAll('.tile')].find((one) => one.innerText.startsWith('Running')).innerText"
    page.wait_for("its tile knows nothing", f"{running}.includes('\u2013')")
    assert "last 10 min: running" in described(page, "Batch and queue")
    page.run("window.fetch = window.real, document.querySelector('#spans input[value=\"5m\"]').click()")
    page.wait_for("it is as before", f"!{running}.includes('\u2013')")


def test_a_controller_that_is_away_is_told_and_comes_back(page: Page, stack: RunningStack) -> None:
    controller = stack.child("podium.controller")
    controller.suspend()
    page.wait_for("it is told", "document.querySelector('#away').innerText.includes('does not answer')", seconds=30)
    assert page.text("#status") == "unknown"
    controller.resume()
    page.wait_for("it is back", "document.querySelector('#away').hidden", seconds=30)


def test_where_there_are_keys_the_page_asks_for_one_and_the_monitor_has_its_own(tmp_path: Path) -> None:
    made = podium("keys", "create", "--role", "metrics", cwd=tmp_path)
    assert made.status == 0, made.err
    key = re.findall(r"podium_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", made.out + made.err)[0]
    (tmp_path / "profile").mkdir()
    with running_stack(tmp_path, models=[MODEL]) as stack, browser(tmp_path / "profile") as page:
        page.open(stack.control + "/")
        page.wait_for("it asks for a key", "document.querySelector('#key-dialog')?.open", seconds=60)
        assert page.text("#replicas") == ""
        page.run(f"document.querySelector('#key-input').value = {json.dumps(key)}")
        page.run("document.querySelector('#key-form button[type=submit]').click()")
        page.wait_for("it shows figures", "document.querySelectorAll('#replicas tbody tr').length === 2")
        page.wait_for(
            "the monitor reads the metrics", "!document.querySelector('#replicas').innerText.includes('refused')"
        )
        assert page.text("#replicas").count("up") >= 2
        assert "No replica tells of a GPU" in page.text("#gpus")
        assert "No request has ended" in page.text("#newest")
        page.wait_for("the monitor reads the requests", "!document.querySelector('#slowest .gap')")
        assert "role 'admin'" in page.text("#traffic")
        assert key not in str(page.run("location.href + document.documentElement.outerHTML"))
