"""The requests of one worker, in the order in which it sends them."""

from __future__ import annotations

from collections.abc import Iterator

from podium.bench.arrivals import schedule
from podium.bench.dialect import Message
from podium.bench.plan import RunPlan
from podium.bench.workload import Planned, Requests

WARM_UP_STAGE = -1


def open_loop(plan: RunPlan, worker: int) -> Iterator[Planned]:
    """Every ``workers``-th request of the schedule, made when it is asked for."""
    times, stages = schedule(plan)
    requests = Requests(plan)
    for index in range(worker, len(times), plan.workers):
        yield requests.planned(index, float(times[index]), int(stages[index]))


class Users:
    """The users of a closed loop in this worker; each sends its next request when its last one has ended.

    The users and the indexes of requests are dealt to the workers in turn.
    """

    def __init__(self, plan: RunPlan, worker: int) -> None:
        self._plan = plan
        self._requests = Requests(plan)
        self._index = worker
        self._sessions = 0
        self._worker = worker
        self.count = len(range(worker, plan.load.concurrency, plan.workers))
        self.ends_at = plan.warm_up_seconds + plan.load.seconds
        self._left = plan.load.most_requests
        if self._left is not None:
            self._left = len(range(worker, self._left, plan.workers))

    def next(self, at: float, talk: Talk) -> Planned | None:
        """The request that a user sends ``at`` seconds since the start; None when the load is over."""
        if at >= self.ends_at or self._left == 0:
            return None
        stage = WARM_UP_STAGE if at < self._plan.warm_up_seconds else 0
        if self._left is not None and stage >= 0:
            self._left -= 1
        index, self._index = self._index, self._index + self._plan.workers
        turns = self._plan.workload.turns_per_conversation
        if turns == 1:
            return self._requests.planned(index, at, stage)
        if talk.turns == 0 or talk.turns >= turns:
            talk.session, talk.history, talk.turns = f"{self._worker}-{self._sessions}", [], 0
            self._sessions += 1
        planned = self._requests.turn(index, at, stage, talk.session, talk.history)
        talk.history = list(planned.ask.messages or [])
        talk.turns += 1
        return planned


class Talk:
    """What one user has said and heard in the present conversation."""

    def __init__(self) -> None:
        self.session = ""
        self.history: list[Message] = []
        self.turns = 0

    def heard(self, answer: str | None) -> None:
        """Add the answer; None (a failure) ends the conversation."""
        if answer is None:
            self.turns = 0
        else:
            self.history.append({"role": "assistant", "content": answer})
