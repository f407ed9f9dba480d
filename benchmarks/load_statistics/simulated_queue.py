"""A server that can be solved: a queue with exponential service, whose true limit is a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from podium.bench.search.attainment import criterion
from podium.bench.search.history import Probe
from podium.bench.search.next_step import Found, Plan, next_step


@dataclass(frozen=True)
class Server:
    """An M/M/1 queue that serves ``capacity`` requests a second on average.

    ``noise``: relative standard deviation of the capacity from run to run.
    """

    capacity: float
    limit_seconds: float = 0.5
    percent: float = 95.0
    noise: float = 0.0
    warm_up_seconds: float = 30.0
    window_seconds: float = 120.0
    least_requests: int = 2000

    @property
    def true_limit(self) -> float:
        """Time in an M/M/1 system is exponential with the rate capacity - arrivals."""
        return self.capacity + math.log(1 - self.percent / 100) / self.limit_seconds

    def run(self, rate: float, draw: np.random.Generator) -> Probe:
        """A Poisson stream at ``rate`` through the queue, empty at first; the warm-up does not count."""
        warm_up = round(rate * self.warm_up_seconds)
        window = max(self.window_seconds, self.least_requests / rate)
        count = warm_up + round(rate * window)
        capacity = self.capacity * math.exp(draw.normal(0, self.noise))
        gaps, service = draw.exponential(1 / rate, count), draw.exponential(1 / capacity, count)
        walk = np.concatenate([[0.0], np.cumsum(service[:-1] - gaps[1:])])
        waited = walk - np.minimum.accumulate(walk)
        late = (waited + service)[warm_up:] > self.limit_seconds
        return Probe(
            rate=rate,
            criteria=[criterion("ttft", late, 1 - self.percent / 100)],
            overloaded=rate >= capacity,
            seconds=self.warm_up_seconds + window,
        )


def search(server: Server, plan: Plan, seed: int) -> Found:
    """A whole search, without waiting."""
    draw = np.random.default_rng(seed)
    history: list[Probe] = []
    while isinstance(step := next_step(history, plan), float):
        history.append(server.run(step, draw))
    return step
