"""Holds back requests whose prefix another request is computing right now.

A paged engine that looks prefixes up when a request is added computes a shared prefix once for each of
several simultaneous requests. Letting the first one (the leader) finish its prefill, and the others in
then, computes it once. A follower waits for one prefill at most; it never waits for a follower.
"""

from __future__ import annotations

from podium.engine.interface import EngineSequence

# Shorter prefixes cost less to compute than to wait for.
SHARED_TOKENS = 64


class PrefixGate:
    """Who computes a prefix, and who waits for it."""

    def __init__(self) -> None:
        self._leaders: dict[int, EngineSequence] = {}
        self._followers: dict[int, list[EngineSequence]] = {}
        self._leader_of: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Sequences held back."""
        return len(self._leader_of)

    def admit(self, sequence: EngineSequence) -> bool:
        """True: enter now (and lead). False: held until the leader's first token or end."""
        for leader_id, leader in self._leaders.items():
            if _shared(leader.token_ids, sequence.token_ids) >= max(SHARED_TOKENS, len(sequence.token_ids) // 2):
                self._followers.setdefault(leader_id, []).append(sequence)
                self._leader_of[sequence.id] = leader_id
                return False
        self._leaders[sequence.id] = sequence
        return True

    def first_token(self, sequence_id: int) -> list[EngineSequence]:
        """The prefix is computed: the sequences that may enter now."""
        self._leaders.pop(sequence_id, None)
        followers = self._followers.pop(sequence_id, [])
        for follower in followers:
            del self._leader_of[follower.id]
        return followers

    def leave(self, sequence_id: int) -> list[EngineSequence]:
        """The sequence ended or was aborted, held or not: the sequences that may enter now."""
        leader_id = self._leader_of.pop(sequence_id, None)
        if leader_id is not None:
            self._followers[leader_id] = [held for held in self._followers[leader_id] if held.id != sequence_id]
            return []
        return self.first_token(sequence_id)


def _shared(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Length of the common prefix."""
    size = min(len(first), len(second))
    if first[:size] == second[:size]:
        return size
    low, high = 0, size
    while high - low > 1:  # the longest equal prefix, by halves: slices compare in C
        middle = (low + high) // 2
        low, high = (middle, high) if first[:middle] == second[:middle] else (low, middle)
    return low
