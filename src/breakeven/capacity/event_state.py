"""The state of the replay's event loop, with the tree and the heap that it is kept in.

Columns are lists or arrays, and only one entry of them is ever taken or set, so that the same code runs under Python
and compiled by numba.
"""

import math
from typing import Any, NamedTuple

Column = Any
"""A list or an array: the loop only ever takes or sets one entry of it."""

OFF, STARTING, SERVING, DRAINING, DOWN = range(5)
SERVED, OVERFLOWED, TOO_LONG = range(3)
# places of ``size``
REPLICAS, LEAVES, PLACES, LIMIT, ONE_LINE, PER_MACHINE, MACHINES, LEAST, MOST, AUTOSCALED = range(10)
# places of ``rule``
ROOM, TARGET, PERIOD_S, OUT_COOLDOWN_S, IN_COOLDOWN_S, IN_BELOW, SAMPLE_S = range(7)
# places of ``whole``
ARRIVED, IN_SERVICE, WAITING, UP, ACTIVE, STANDING, FAILED, SAMPLED, ORDERS, OUTS, INS = range(11)
# places of ``real``
NOW, AREA, LOOK_AT, SAMPLE_AT, LAST_OUT, LAST_ANY, PAID_S, UP_S = range(8)
FULL = 1e15
"""How many requests a replica counts as holding while it takes none."""
NEVER = math.inf
TINY = 1e-9


class World(NamedTuple):
    """All that the loop reads and writes."""

    # of each request
    at_s: Column
    longer_s: Column
    work: Column
    need: Column
    admitted_s: Column
    first_s: Column
    done_s: Column
    joined: Column
    tries: Column
    fate: Column
    after: Column
    """The next in the same line."""
    # by the number of requests in a replica
    enter_s: Column
    tick_s: Column
    # of each replica; lines have one more, for requests that found no replica
    status: Column
    inside: Column
    used: Column
    ticks: Column
    ticked_at_s: Column
    entering: Column
    leaving: Column
    waiting: Column
    head: Column
    tail: Column
    # of each replica and place: heaps
    enter_key: Column
    enter_item: Column
    leave_key: Column
    leave_item: Column
    # trees over the replicas: when each has its next event, how many requests it holds
    soonest: Column
    emptiest: Column
    # failures in order, machines, starts
    fails_at_s: Column
    fails: Column
    back_s: Column
    state: Column
    ordered_at_s: Column
    start_s: Column
    # what is seen at every sample
    seen: Column
    # rules and counts
    size: Column
    rule: Column
    whole: Column
    real: Column


def set_leaf(tree: Column, leaves: int, leaf: int, value: float) -> None:
    """A new value of one leaf, and of the smaller of each pair above it."""
    at = leaves + leaf
    tree[at] = value
    while at > 1:
        at //= 2
        left, right = tree[2 * at], tree[2 * at + 1]
        tree[at] = left if left <= right else right


def least_leaf(tree: Column, leaves: int) -> int:
    """The leaf with the smallest value, the first of equals."""
    at = 1
    while at < leaves:
        at = 2 * at if tree[2 * at] <= tree[2 * at + 1] else 2 * at + 1
    return at - leaves


def push(keys: Column, items: Column, place: tuple[int, int], key: float, item: int) -> None:
    """Add to the heap that begins at ``place[0]`` and holds ``place[1]``."""
    base, at = place
    while at > 0:
        above = (at - 1) // 2
        if keys[base + above] <= key:
            break
        keys[base + at], items[base + at] = keys[base + above], items[base + above]
        at = above
    keys[base + at], items[base + at] = key, item


def pop(keys: Column, items: Column, base: int, count: int) -> int:
    """Take the first from the heap of ``count`` that begins at ``base``."""
    first, last = items[base], count - 1
    key, item = keys[base + last], items[base + last]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= last:
            break
        if below + 1 < last and keys[base + below + 1] < keys[base + below]:
            below += 1
        if keys[base + below] >= key:
            break
        keys[base + at], items[base + at] = keys[base + below], items[base + below]
        at = below
    keys[base + at], items[base + at] = key, item
    return first  # type: ignore[no-any-return]
