"""Weighted fairness by tokens between the tenants of one priority class."""

from __future__ import annotations

from collections.abc import Iterator

from podium.engine.ranking import Rank, Ranking
from podium.engine.turns import Line, Turn

MOST_DEBTORS = 1024
"""Idle tenants whose counters are kept; beyond it the smallest debt is forgiven, to all alike."""


class Account:
    """A tenant's virtual token counter: tokens over weight, as used by what ended, as expected of what runs."""

    __slots__ = ("counter", "line", "running", "running_turns", "tenant")

    def __init__(self, tenant: str, counter: float) -> None:
        self.tenant = tenant
        self.counter = counter
        self.running = 0.0
        self.running_turns = 0
        self.line = Line()

    @property
    def served(self) -> float:
        """The part of the counter that is of finished requests."""
        return self.counter - self.running

    @property
    def is_idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self.running_turns and not self.line


class FairShare:
    """Who of the tenants goes next: the one with the least counter, and of that one the first in its line.

    After "Fairness in Serving Large Language Models" (VTC, OSDI 2024). A counter is charged the expected
    work when a request starts and corrected to the used tokens when it ends. Between two tenants that both
    always wait the counters differ by no more than the larger request's charge, plus what running requests
    were expected to use and did not.

    A tenant that comes back is lifted to ``level``: what the tenant that was chosen last had been served. So
    idleness cannot be saved up; a newcomer may be ahead of the others by their running work at most, which
    is what it takes to have as much running as they have. The counter of an idle tenant is dropped as soon
    as it would be lifted anyway, at the latest when the whole class is idle.
    """

    __slots__ = ("_accounts", "_backlogs", "_debtors", "_held", "_waiting", "level", "tokens", "turns")

    def __init__(self) -> None:
        self.level = 0.0
        self.turns = 0
        self.tokens = 0
        self._accounts: dict[str, Account] = {}
        self._waiting: Ranking[Account] = Ranking()
        self._backlogs: Ranking[Account] = Ranking()
        self._debtors: Ranking[Account] = Ranking()
        self._held: Turn | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return len(self._accounts) == len(self._debtors)

    @property
    def tenants(self) -> int:
        """Counters that are kept."""
        return len(self._accounts)

    def head(self) -> Turn | None:
        """Who goes next; whoever is held goes before the others."""
        if self._held is not None:
            return self._held
        account = self._waiting.first()
        return None if account is None else account.line.first()

    def hold(self, turn: Turn) -> None:
        """Keep ``turn`` at the head until it is taken or removed."""
        self._held = turn

    def add(self, turn: Turn) -> None:
        """It waits."""
        account = self._open(turn.work.tenant)
        account.line.add(turn)
        self.turns += 1
        self.tokens += turn.tokens
        self._rank(account)

    def remove(self, turn: Turn) -> None:
        """It waits no longer and does not run."""
        account = self._take_out(turn)
        if account.is_idle:
            self._rest(account)

    def take(self, turn: Turn) -> None:
        """It waited and runs now."""
        self._charge(self._take_out(turn), turn)

    def start(self, turn: Turn) -> None:
        """It runs and never waited."""
        self._charge(self._open(turn.work.tenant), turn)

    def finish(self, turn: Turn, used_tokens: int) -> None:
        """It ran, and used that much."""
        account = self._accounts[turn.work.tenant]
        correction = used_tokens / turn.weight - turn.charge
        account.counter += correction
        account.running_turns -= 1
        account.running = account.running - turn.charge if account.running_turns else 0.0
        if account.is_idle:
            self._rest(account)
        elif correction and account.line:
            self._rank(account)

    def tokens_ahead(self, turn: Turn) -> float:
        """About how many waiting tokens start before ``turn`` would, if it joined now and nobody else came."""
        tokens, start = 0.0, self.level
        own = self._accounts.get(turn.work.tenant)
        if own is not None:
            tokens, charge = own.line.ahead_of(turn.work.priority)
            start = (own.counter if own.line else max(own.served, self.level) + own.running) + charge
        for account in self._waiting:
            if account is not own and account.counter <= start:
                tokens += account.line.tokens_within(start - account.counter)
        return tokens

    def behind(self, turn: Turn) -> Iterator[Turn]:
        """Turns that may give up their place for ``turn``: last first, of the tenant with most work waiting.

        They end where that tenant would have no more waiting than the tenant of ``turn`` with it.
        """
        account = self._backlogs.first()
        own = self._accounts.get(turn.work.tenant)
        least = turn.charge + (own.line.charge if own is not None else 0.0)
        left = account.line.charge if account is not None else 0.0
        for other in account.line.from_last() if account is not None else ():
            left -= other.charge
            if left < least:
                return
            yield other

    def everyone(self) -> Iterator[Turn]:
        """All that wait: tenants with most work waiting first, of each the last one first."""
        for account in sorted(self._waiting, key=_backlog):
            yield from account.line.from_last()

    def _open(self, tenant: str) -> Account:
        account = self._accounts.get(tenant)
        if account is None:
            account = self._accounts[tenant] = Account(tenant, self.level)
            return account
        self._debtors.remove(account)
        if not account.line and account.served < self.level:
            account.counter = self.level + account.running
        return account

    def _rank(self, account: Account) -> None:
        self._waiting.place(account, (account.counter, account.line.first().arrival))
        self._backlogs.place(account, _backlog(account))

    def _take_out(self, turn: Turn) -> Account:
        account = self._accounts[turn.work.tenant]
        account.line.remove(turn)
        self.turns -= 1
        self.tokens -= turn.tokens
        if self._held is turn:
            self._held = None
        if account.line:
            self._rank(account)
        else:
            self._waiting.remove(account)
            self._backlogs.remove(account)
        return account

    def _charge(self, account: Account, turn: Turn) -> None:
        self._raise_level(account.served)
        account.counter += turn.charge
        account.running += turn.charge
        account.running_turns += 1
        if account.line:
            self._rank(account)

    def _rest(self, account: Account) -> None:
        if account.counter <= self.level:
            del self._accounts[account.tenant]
            return
        self._debtors.place(account, (account.counter, 0))
        if len(self._debtors) > MOST_DEBTORS:
            self._raise_level(self._least_debt())

    def _raise_level(self, level: float) -> None:
        if level <= self.level:
            return
        self.level = level
        while (account := self._debtors.first()) is not None and account.counter <= level:
            self._debtors.remove(account)
            del self._accounts[account.tenant]

    def _least_debt(self) -> float:
        account = self._debtors.first()
        return self.level if account is None else account.counter


def _backlog(account: Account) -> Rank:
    return (-account.line.charge, account.line.first().arrival)
