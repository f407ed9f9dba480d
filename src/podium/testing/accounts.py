"""The laws that a server's metrics page obeys at every moment: nothing is lost, and no counter goes back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from podium.telemetry import table
from podium.telemetry.metric import Metric

Sums = Mapping[str, float]


@dataclass
class Accounts:
    """Reads one page after the other of one server process, and remembers what was wrong with any of them."""

    pages: int = 0
    breaches: list[str] = field(default_factory=list)
    last: Sums = field(default_factory=dict)
    outcomes: Sums = field(default_factory=dict)
    _counters: dict[str, float] = field(default_factory=dict)

    def read(self, page: str) -> None:
        """Judge a page."""
        sums, outcomes, counters = _read(page)
        self.pages += 1
        self._law("requests", sums, table.REQUESTS_RECEIVED, (table.REQUESTS, table.REQUESTS_IN_FLIGHT))
        parts = (table.TOKENS_DELIVERED, table.TOKENS_DISCARDED, table.TOKENS_UNREAD)
        self._law("tokens", sums, table.TOKENS_SAMPLED, parts)
        back = [name for name, value in self._counters.items() if counters.get(name, 0.0) < value]
        if back:
            self.breaches.append(f"page {self.pages}: went back: {', '.join(back)}")
        self._counters, self.last, self.outcomes = counters, sums, outcomes

    def _law(self, what: str, sums: Sums, whole: Metric, parts: tuple[Metric, ...]) -> None:
        total, told = sums[whole.name], [sums[part.name] for part in parts]
        if total != sum(told):
            self.breaches.append(f"page {self.pages}: {what}: {total:g} is not the sum of {told}")


def _read(page: str) -> tuple[Sums, Sums, dict[str, float]]:
    """Sums over labels by series name, ended requests by outcome, and every counter's series."""
    sums: dict[str, float] = defaultdict(float)
    outcomes: dict[str, float] = defaultdict(float)
    counters: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name] += sample.value
            if sample.name == table.REQUESTS.name:
                outcomes[sample.labels["outcome"]] += sample.value
            if family.type in {"counter", "histogram"} and not sample.name.endswith("_created"):
                counters[f"{sample.name}{sorted(sample.labels.items())}"] = sample.value
    return sums, outcomes, counters
