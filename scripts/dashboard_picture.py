"""Takes ``docs/dashboard.png``: the page of a healthy stack with a rollout in its first step, in a real Chromium.

``python scripts/dashboard_picture.py`` from the repository's root takes about seven minutes: the charts show five.
``--seconds 30 --width 400 --dark --out FILE`` is for looking at the page in other ways.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import browser  # noqa: E402 - the tests' own browser and stack
from support.gateway_stack import RunningStack, running_stack  # noqa: E402

CALLERS = 3
HEIGHT = 1480
MODELS = [
    {"name": name, "source": "none", "engine": {"kind": "echo", "token_interval_seconds": seconds}}
    for name, seconds in (("gpt2", 0.012), ("summaries", 0.03))
]
ROLLOUT = {"min_soak_seconds": 600, "interval_seconds": 1}
ENVIRONMENTS = {"blue": {"replicas": 2}, "green": {"replicas": 1}}


@contextmanager
def callers(stack: RunningStack, *, faulty: bool) -> Iterator[None]:
    """Some that ask one question after the other; with ``faulty`` a few ask what there is no answer to."""
    over = threading.Event()

    def ask(number: int) -> None:
        draw = random.Random(number)  # noqa: S311 - what is asked is no secret
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not over.is_set():
                model = "nobody" if faulty and draw.random() < 0.1 else draw.choices(["gpt2", "summaries"], [4, 1])[0]
                prompt = "the usual question" if draw.random() < 0.75 else f"question {draw.random()} and more of it"
                body = {"model": model, "prompt": prompt, "max_tokens": draw.randint(4, 30), "seed": draw.randint(1, 3)}
                client.post(f"{stack.gateway}/v1/completions", json=body)
                over.wait(draw.expovariate(4))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def take(given: argparse.Namespace) -> None:
    """Start everything, wait until the charts are full, and write the picture."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        gateway = {"environments": ENVIRONMENTS, "weights": {"blue": 100}}
        with (
            running_stack(Path(folder), models=MODELS, gateway=gateway, rollout=ROLLOUT) as stack,
            callers(stack, faulty=given.faulty),
            browser(Path(profile)) as page,
        ):
            page.open(stack.control + "/")
            time.sleep(given.seconds)
            body = {"environment": "green", "revision": "v2"}
            httpx.post(f"{stack.control}/control/rollouts", json=body, timeout=30).raise_for_status()
            time.sleep(min(60.0, given.seconds))
            page.look(width=given.width, dark=given.dark)
            time.sleep(2.0)
            page.screenshot(given.out, height=given.height)


def main() -> None:
    """Read the arguments and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/dashboard.png")
    parser.add_argument("--seconds", type=float, default=330.0, help="before the rollout begins")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=HEIGHT, help="0: the whole page")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--faulty", action="store_true", help="one request of ten has no answer")
    take(parser.parse_args())


if __name__ == "__main__":
    main()
