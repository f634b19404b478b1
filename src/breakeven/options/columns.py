"""Columns of options: NumPy arrays, one entry an option, and the join of one column with lists of others."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def one_to_many(lengths: Ints, kind: Ints) -> tuple[Ints, Ints]:
    """Repeat every entry once for each member of its kind's list; lists lie one after another.

    ``lengths[k]`` is the length of list ``k``; ``kind[i]`` the list of entry ``i``. Returns, for each pair, the
    entry and the place of the member in the joined lists.

    >>> entry, place = one_to_many(np.array([2, 1]), np.array([1, 0]))
    >>> entry.tolist(), place.tolist()
    ([0, 1, 1], [2, 0, 1])
    """
    starts = np.cumsum(lengths) - lengths
    each = lengths[kind]
    entry = np.repeat(np.arange(len(kind), dtype=np.int64), each)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(each) - each, each)
    return entry, starts[kind[entry]] + within
