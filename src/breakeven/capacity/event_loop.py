"""The event loop of the replay: one body for Python over lists and numba over arrays, with the same result to the bit.

A replica with k requests in it answers them all at one speed: a token takes each of them ``tick_s[k]`` seconds. So
one clock of tokens a replica is enough: a request leaves when the clock has passed its own tokens, and a heap says
which is next. A request enters (its prompt, its wait for others' prompts) for ``enter_s[k] + longer_s`` seconds, k
being the requests it joins, itself included; then its tokens begin. Every event costs O(log n).
"""

import hashlib
import math
from types import FunctionType
from typing import Any

from breakeven.capacity.event_state import (
    ACTIVE,
    AREA,
    ARRIVED,
    DOWN,
    DRAINING,
    FAILED,
    FULL,
    IN_BELOW,
    IN_COOLDOWN_S,
    IN_SERVICE,
    INS,
    LAST_ANY,
    LAST_OUT,
    LEAST,
    LEAVES,
    LIMIT,
    LOOK_AT,
    MACHINES,
    MOST,
    NEVER,
    NOW,
    OFF,
    ONE_LINE,
    ORDERS,
    OUT_COOLDOWN_S,
    OUTS,
    OVERFLOWED,
    PAID_S,
    PER_MACHINE,
    PERIOD_S,
    PLACES,
    REPLICAS,
    ROOM,
    SAMPLE_AT,
    SAMPLE_S,
    SAMPLED,
    SERVING,
    STANDING,
    STARTING,
    TARGET,
    TINY,
    TOO_LONG,
    UP,
    UP_S,
    WAITING,
    World,
    least_leaf,
    pop,
    push,
    set_leaf,
)


def advance_clock(w: World, r: int, now: float) -> None:
    """Tokens that every request in the replica had since its clock was last read."""
    k = w.inside[r]
    if k > 0:
        w.ticks[r] += (now - w.ticked_at_s[r]) / w.tick_s[k]
    else:
        w.ticks[r], w.used[r] = 0.0, 0.0
    w.ticked_at_s[r] = now


def next_leave_s(w: World, r: int) -> float:
    """When the replica's next request leaves if none joins."""
    if w.leaving[r] == 0:
        return NEVER
    left = w.leave_key[r * w.size[PLACES]] - w.ticks[r]
    left = max(left, 0.0)
    return w.ticked_at_s[r] + left * w.tick_s[w.inside[r]]  # type: ignore[no-any-return]


def set_next(w: World, r: int) -> None:
    """Enter the replica's next event and its load in the trees."""
    soon = next_leave_s(w, r)
    if w.entering[r] > 0 and w.enter_key[r * w.size[PLACES]] < soon:
        soon = w.enter_key[r * w.size[PLACES]]
    set_leaf(w.soonest, w.size[LEAVES], r, soon)
    held = w.inside[r] + w.waiting[r] if w.status[r] == SERVING else FULL
    set_leaf(w.emptiest, w.size[LEAVES], r, held)


def fits(w: World, r: int, i: int) -> bool:
    """Whether the replica has a place and memory for the request."""
    k = w.inside[r]
    return k == 0 or (k < w.size[PLACES] and w.used[r] + w.need[i] <= w.rule[ROOM])  # type: ignore[no-any-return]


def admit(w: World, r: int, i: int, now: float) -> None:
    """Let a request into a replica whose clock has been read."""
    k = w.inside[r] + 1
    w.inside[r] = k
    w.used[r] += w.need[i]
    w.joined[i], w.admitted_s[i] = k, now
    w.whole[IN_SERVICE] += 1
    key = now + w.enter_s[k] + w.longer_s[i]
    push(w.enter_key, w.enter_item, (r * w.size[PLACES], w.entering[r]), key, i)
    w.entering[r] += 1


def stand_in_line(w: World, line: int, i: int) -> None:
    """Put a request at the end of a line, or send it elsewhere if the line is at its limit."""
    lines = max(w.whole[UP], 1) if line == w.size[REPLICAS] else 1
    if w.waiting[line] >= w.size[LIMIT] * lines:
        w.fate[i] = OVERFLOWED
        return
    if w.waiting[line] == 0:
        w.head[line] = i
    else:
        w.after[w.tail[line]] = i
    w.tail[line] = i
    w.waiting[line] += 1
    w.whole[WAITING] += 1


def leave_line(w: World, line: int) -> int:
    """Take the first of a line."""
    i = w.head[line]
    w.head[line] = w.after[i]
    w.waiting[line] -= 1
    w.whole[WAITING] -= 1
    return i  # type: ignore[no-any-return]


def route(w: World, i: int, now: float) -> None:
    """Send a request to the replica with the fewest outstanding ones."""
    lobby = w.size[REPLICAS]
    if w.need[i] > w.rule[ROOM]:
        w.fate[i] = TOO_LONG
        return
    r = least_leaf(w.emptiest, w.size[LEAVES])
    if w.emptiest[1] >= FULL:
        stand_in_line(w, lobby, i)
        return
    line = lobby if w.size[ONE_LINE] else r
    if w.waiting[line] == 0 and fits(w, r, i):
        advance_clock(w, r, now)
        admit(w, r, i, now)
    else:
        stand_in_line(w, line, i)
    set_next(w, r)


def take_in(w: World, r: int, now: float) -> None:
    """Let in from the line what fits."""
    line = w.size[REPLICAS] if w.size[ONE_LINE] and w.status[r] == SERVING else r
    while w.waiting[line] > 0 and fits(w, r, w.head[line]):
        admit(w, r, leave_line(w, line), now)


def begin_tokens(w: World, r: int, now: float) -> None:
    """A request has its first token; the others come by the clock."""
    base = r * w.size[PLACES]
    i = pop(w.enter_key, w.enter_item, base, w.entering[r])
    w.entering[r] -= 1
    w.first_s[i] = now
    advance_clock(w, r, now)
    push(w.leave_key, w.leave_item, (base, w.leaving[r]), w.ticks[r] + w.work[i], i)
    w.leaving[r] += 1


def finish(w: World, r: int, now: float) -> None:
    """A request has its last token; its place goes to the next in line."""
    base = r * w.size[PLACES]
    advance_clock(w, r, now)
    w.ticks[r] = max(w.ticks[r], w.leave_key[base])
    i = pop(w.leave_key, w.leave_item, base, w.leaving[r])
    w.leaving[r] -= 1
    w.done_s[i] = now
    w.inside[r] -= 1
    w.used[r] -= w.need[i]
    w.whole[IN_SERVICE] -= 1
    take_in(w, r, now)
    if w.status[r] == DRAINING and w.inside[r] + w.waiting[r] == 0:
        switch_off(w, r, now)


def on_replica(w: World, r: int, now: float) -> None:
    """The next event of a replica."""
    if w.status[r] in (STARTING, DOWN):
        wake(w, r, now)
        return
    if w.entering[r] > 0 and w.enter_key[r * w.size[PLACES]] <= next_leave_s(w, r):
        begin_tokens(w, r, now)
    else:
        finish(w, r, now)
    if w.status[r] != OFF:
        set_next(w, r)


def wake(w: World, r: int, now: float) -> None:
    """A replica begins to serve, first those that found none."""
    w.status[r] = SERVING
    w.whole[UP] += 1
    w.inside[r] = 0
    advance_clock(w, r, now)
    set_next(w, r)
    lobby = w.size[REPLICAS]
    if w.size[ONE_LINE]:
        take_in(w, r, now)
        set_next(w, r)
    else:
        for _ in range(w.waiting[lobby]):
            route(w, leave_line(w, lobby), now)


def switch_off(w: World, r: int, now: float) -> None:
    """A replica goes; with the last of its machine the machine goes, and is paid no longer."""
    w.status[r] = OFF
    set_leaf(w.soonest, w.size[LEAVES], r, NEVER)
    set_leaf(w.emptiest, w.size[LEAVES], r, FULL)
    each = w.size[PER_MACHINE]
    machine = r // each
    for other in range(machine * each, (machine + 1) * each):
        if w.status[other] != OFF:
            return
    w.state[machine] = OFF
    w.whole[STANDING] -= 1
    w.real[PAID_S] += now - w.ordered_at_s[machine]


def fail(w: World, r: int, back_s: float, now: float) -> None:
    """A replica stops; what it held starts again elsewhere."""
    if w.status[r] not in (SERVING, DRAINING):
        return
    base = r * w.size[PLACES]
    drained = w.status[r] == DRAINING
    w.whole[UP] -= 0 if drained else 1
    w.status[r] = DOWN
    held, entering, leaving, waiting = w.inside[r], w.entering[r], w.leaving[r], w.waiting[r]
    w.entering[r], w.leaving[r], w.inside[r] = 0, 0, 0
    w.whole[IN_SERVICE] -= held
    set_next(w, r)
    set_leaf(w.soonest, w.size[LEAVES], r, back_s)
    for n in range(entering):
        w.tries[w.enter_item[base + n]] += 1
        route(w, w.enter_item[base + n], now)
    for n in range(leaving):
        w.tries[w.leave_item[base + n]] += 1
        route(w, w.leave_item[base + n], now)
    for _ in range(waiting):
        route(w, leave_line(w, r), now)
    if drained:
        switch_off(w, r, now)


def order(w: World, machines: int, now: float) -> None:
    """Start machines; each serves when it is ready."""
    each = w.size[PER_MACHINE]
    for machine in range(w.size[MACHINES]):
        if machines == 0:
            return
        if w.state[machine] != OFF:
            continue
        machines -= 1
        ready = now + w.start_s[w.whole[ORDERS] % len(w.start_s)]
        w.whole[ORDERS] += 1
        w.whole[ACTIVE] += 1
        w.whole[STANDING] += 1
        w.state[machine], w.ordered_at_s[machine] = SERVING, now
        for r in range(machine * each, (machine + 1) * each):
            w.status[r] = STARTING
            set_leaf(w.soonest, w.size[LEAVES], r, ready)


def release(w: World, machines: int, now: float) -> None:
    """Send machines away, the last ones first; each answers what it holds before it goes."""
    each = w.size[PER_MACHINE]
    for machine in range(w.size[MACHINES] - 1, -1, -1):
        if machines == 0:
            return
        if w.state[machine] != SERVING:
            continue
        machines -= 1
        w.whole[ACTIVE] -= 1
        w.state[machine] = DRAINING
        for r in range(machine * each, (machine + 1) * each):
            w.whole[UP] -= 1 if w.status[r] == SERVING else 0
            if w.status[r] == SERVING and w.inside[r] + w.waiting[r] > 0:
                w.status[r] = DRAINING
                set_next(w, r)
            elif w.status[r] != OFF:
                switch_off(w, r, now)


def look(w: World, now: float) -> None:
    """The autoscaler: requests outstanding over the last period against the target of each replica."""
    mean = w.real[AREA] / w.rule[PERIOD_S]
    w.real[AREA] = 0.0
    w.real[LOOK_AT] = now + w.rule[PERIOD_S]
    per_machine = w.rule[TARGET] * w.size[PER_MACHINE]
    active = w.whole[ACTIVE]
    up = min(max(math.ceil(mean / per_machine - TINY), w.size[LEAST]), w.size[MOST])
    down = min(max(math.ceil(mean / (per_machine * w.rule[IN_BELOW]) - TINY), w.size[LEAST]), w.size[MOST])
    if up > active and now - w.real[LAST_OUT] >= w.rule[OUT_COOLDOWN_S]:
        order(w, up - active, now)
        w.whole[OUTS] += 1
        w.real[LAST_OUT], w.real[LAST_ANY] = now, now
    elif down < active and now - w.real[LAST_ANY] >= w.rule[IN_COOLDOWN_S]:
        release(w, active - down, now)
        w.whole[INS] += 1
        w.real[LAST_ANY] = now


def sample(w: World, now: float) -> None:
    """What stands and what it holds, for the picture over time."""
    n = w.whole[SAMPLED] * 4
    if n + 4 > len(w.seen):
        w.real[SAMPLE_AT] = NEVER
        return
    w.seen[n], w.seen[n + 1] = w.whole[UP], w.whole[STANDING] * w.size[PER_MACHINE]
    w.seen[n + 2], w.seen[n + 3] = w.whole[IN_SERVICE], w.whole[WAITING]
    w.whole[SAMPLED] += 1
    w.real[SAMPLE_AT] = now + w.rule[SAMPLE_S]


def advance(w: World, until: int) -> bool:
    """Play events until so many requests have arrived; then, if that is all of them, until the last is answered."""
    total = len(w.at_s)
    while True:
        n, f = w.whole[ARRIVED], w.whole[FAILED]
        outstanding = w.whole[IN_SERVICE] + w.whole[WAITING]
        if n >= until and (n < total or outstanding == 0):
            return n >= total  # type: ignore[no-any-return]
        arrival = w.at_s[n] if n < total else NEVER
        failure = w.fails_at_s[f] if f < len(w.fails_at_s) else NEVER
        event = w.soonest[1]
        looked, sampled = w.real[LOOK_AT], w.real[SAMPLE_AT]
        now = min(arrival, failure, event, looked, sampled)
        if now == NEVER:
            return True
        w.real[AREA] += outstanding * (now - w.real[NOW])
        w.real[UP_S] += w.whole[UP] * (now - w.real[NOW])
        w.real[NOW] = now
        if now == event:
            on_replica(w, least_leaf(w.soonest, w.size[LEAVES]), now)
        elif now == arrival:
            w.whole[ARRIVED] = n + 1
            route(w, n, now)
        elif now == failure:
            w.whole[FAILED] = f + 1
            fail(w, w.fails[f], w.back_s[f], now)
        elif now == looked:
            look(w, now)
        else:
            sample(w, now)


PARTS = (
    set_leaf, least_leaf, push, pop, advance_clock, next_leave_s, set_next, fits, admit, stand_in_line, leave_line,
    route, take_in, begin_tokens, switch_off, finish, wake, on_replica, fail, order, release, look, sample, advance,
)  # fmt: skip
"""The functions of the loop, each after those that it calls."""


def compiled(numba: Any) -> Any:  # noqa: ANN401 - an optional package without type information
    """``advance``, compiled from the same code: every part sees the compiled others.

    What was compiled once is kept on disk where that is possible, under a name that changes with the code.
    """
    names: dict[str, Any] = dict(globals())
    code = _digest(names)
    for part in PARTS:
        twin = FunctionType(part.__code__, names, part.__name__, part.__defaults__)
        twin.__module__ = part.__module__
        twin.__qualname__ = f"{part.__name__}_{code}"
        try:
            names[part.__name__] = numba.njit(twin, cache=True)
        except RuntimeError:  # no folder to keep it in
            names[part.__name__] = numba.njit(twin)
    return names["advance"]


def _digest(names: dict[str, Any]) -> str:
    """The code of all parts and the constants that they see, in a few letters."""
    parts = [(p.__name__, p.__code__.co_code, p.__code__.co_consts, p.__code__.co_names) for p in PARTS]
    constants = sorted((name, value) for name, value in names.items() if isinstance(value, int | float))
    return hashlib.sha256(repr((parts, constants)).encode()).hexdigest()[:12]
