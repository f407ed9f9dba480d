"""Things in order of a rank that changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podium.engine.ranking import SPARE_ENTRIES, Ranking

ITEM = st.sampled_from("abcde")
CHANGES = st.lists(st.tuples(ITEM, st.none() | st.integers(0, 5)), max_size=60)


@given(CHANGES)
def test_first_is_always_the_item_of_the_lowest_rank(changes: list[tuple[str, int | None]]) -> None:
    ranking: Ranking[str] = Ranking()
    ranks: dict[str, int] = {}
    for number, (item, rank) in enumerate(changes):
        if rank is None:
            ranking.remove(item)
            ranks.pop(item, None)
        else:
            ranking.place(item, (rank, ord(item)))
            ranks[item] = rank
        assert len(ranking) == len(ranks), number
        assert set(ranking) == set(ranks)
        assert ranking.first() == min(ranks, key=lambda item: (ranks[item], item), default=None)


def test_changing_ranks_for_ever_takes_no_memory() -> None:
    ranking: Ranking[str] = Ranking()
    for number in range(10_000):
        ranking.place("ab"[number % 2], (-number, 0))
    assert len(ranking._heap) <= 2 * 2 + SPARE_ENTRIES


def test_removed_items_take_no_memory() -> None:
    ranking: Ranking[int] = Ranking()
    for number in range(10_000):
        ranking.place(number, (-number, 0))
    for number in range(10_000):
        ranking.remove(number)
    assert len(ranking._heap) <= SPARE_ENTRIES
    assert ranking.first() is None
