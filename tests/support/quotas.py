"""Quotas that admit everything and write down what they were asked, unless the test says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field

from podium.core.errors import RateLimited
from podium.core.identity import Principal


@dataclass
class Entry:
    """One reservation and what became of it."""

    caller: Principal
    model: str
    kind: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    settled: list[tuple[int, int]] = field(default_factory=list)
    standings: tuple[()] = ()

    def note(self, prompt_tokens: int, output_tokens: int) -> None:
        """Progress is not written down."""

    def settle(self, prompt_tokens: int, output_tokens: int) -> None:
        self.settled.append((prompt_tokens, output_tokens))


@dataclass
class Notebook:
    """``podium.models.ports.Quotas``. ``refused``: key ids that have no room."""

    counting: bool = False
    refused: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    looks: int = 0

    def counts_tokens(self, caller: Principal, model: str) -> bool:  # noqa: ARG002 - the same for all
        return self.counting

    def refuse_used_up(self, caller: Principal, model: str, *, prompt_tokens: int) -> None:  # noqa: ARG002 - by the key
        self.looks += 1
        self._refuse(caller)

    async def reserve(
        self, caller: Principal, model: str, *, request_id: str, prompt_tokens: int, output_tokens: int
    ) -> Entry:
        return self._enter(Entry(caller, model, "computed", prompt_tokens, output_tokens), request_id)

    async def reserve_hit(self, caller: Principal, model: str, *, request_id: str) -> Entry:
        return self._enter(Entry(caller, model, "shared"), request_id)

    def of_kind(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]

    def _enter(self, entry: Entry, _: str) -> Entry:
        self._refuse(entry.caller)
        self.entries.append(entry)
        return entry

    def _refuse(self, caller: Principal) -> None:
        if caller.key_id in self.refused:
            raise RateLimited("no room", retry_after_seconds=1.0)
