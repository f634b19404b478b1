import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from breakeven.options.columns import one_to_many


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6).flatmap(
    lambda lengths: st.tuples(st.just(lengths), st.lists(st.integers(0, len(lengths) - 1), max_size=8))
))  # fmt: skip
def test_every_entry_meets_each_member_of_its_list_once_and_in_order(drawn):
    lengths, kinds = drawn
    joined = [(kind, member) for kind, length in enumerate(lengths) for member in range(length)]
    entry, place = one_to_many(np.array(lengths, dtype=np.int64), np.array(kinds, dtype=np.int64))
    expected = [(i, kind, member) for i, kind in enumerate(kinds) for member in range(lengths[kind])]
    assert [(int(i), *joined[p]) for i, p in zip(entry, place, strict=True)] == expected


def test_an_entry_whose_list_is_empty_meets_nobody():
    entry, place = one_to_many(np.array([0, 2]), np.array([0, 1, 0]))
    assert entry.tolist() == [1, 1]
    assert place.tolist() == [0, 1]
