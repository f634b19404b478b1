"""What one replica does with its requests: steady serving, a batch run to its end, work handed over at once, arrivals.

With B requests in flight, each producing o tokens, the prompts of the B - 1 others get in the way. Alone, a prompt
takes a pass of t_p seconds. Where a decode step runs anyway it rides on it (chunked prefill) and makes it longer by r
only, because reading weights and KV cache hides a part of its compute:

    r    = ((memory^p + (x c)^p)^(1/p) - memory)/x + wire,   x = max(1, (B-1)/o) prompts on a step, c its compute
    tpot = step(B) + theta (B-1)/o r              prefill takes time from decode
    rest = t_request + tpot/2 + (o - 1) tpot      what is not prefill
    W    = t_p + phi (B-1) r W/(W + rest)         prefill and the wait for it: each of the others is in it for a
                                                  share W/(W + rest) of its time (mean-value analysis)
    ttft = first (t_request + tpot/2 + W)         first: what clients see beside it, 1 without measurements
    response = ttft + (o - 1) tpot
    held = rest + W, and never less than B (c + wire): prefill has no more time than there is

With pp pipeline stages the prompts of the others pass beside each other: B - 1 and B count a pp-th of themselves here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats
from breakeven.performance.calibration import Parameters
from breakeven.performance.roofline import Prompt, Replica, decode_step, prefill, prompt_of

TINY = 1e-12
ROOM_AT_START = 0.1
"""Share of an answer for which an engine wants room before it lets a request in."""
FULL_COHORT = 4.0
"""From so many others on clients that move together are prefilled in a whole cohort."""
HALVINGS = 20
"""Of the logarithm of a concurrency, until it is right to a hundred-thousandth (the fit looks at its derivative); and
of a batch, of which a millionth part is less than any."""
FALSE_POSITIONS = 8
"""Steps to the concurrency of an arrival rate: the response time is then right to a few thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latency:
    """Seconds, one value a row."""

    ttft_s: Floats
    tpot_s: Floats
    response_s: Floats
    """What a caller waits for the whole answer."""
    held_s: Floats
    """How long a request holds its place in the replica."""
    prefill_load: Floats
    """Share of the replica's time that prefill takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """What a benchmark of one replica would report."""

    output_tokens_per_s: Floats
    ttft_s: Floats
    tpot_s: Floats


def steady(
    replica: Replica,
    in_flight: Floats,
    output_tokens: Floats | float,
    prompt: Prompt,
    parameters: Parameters,
    first_prefill_s: Floats | None = None,
) -> Latency:
    """Steady serving with so many requests in flight (at least 1).

    ``first_prefill_s``: the prefill of the request whose first token is told, where it is not the mean one.
    """
    return _steady(replica, in_flight, output_tokens, prompt, parameters, first_prefill_s)[0]


def _steady(
    replica: Replica,
    in_flight: Floats,
    output_tokens: Floats | float,
    prompt: Prompt,
    parameters: Parameters,
    first_prefill_s: Floats | None = None,
) -> tuple[Latency, Floats]:
    """Steady serving, and by how many seconds a prompt makes the step longer that it rides on."""
    r = replica
    others = (in_flight - 1) / r.pipeline_parallel
    step = decode_step(r, in_flight, parameters)
    ridden = step.ridden_s(prompt, others / output_tokens)
    tpot = step.total_s + r.interference * others / output_tokens * ridden
    rest = r.request_s + tpot / 2 + np.maximum(output_tokens - 1, 0.0) * tpot
    work = (prompt.compute_s + prompt.wire_s) * r.pace
    turn = np.maximum(_turn_s(r, others, rest, prompt.pass_s, ridden), work * in_flight / r.pipeline_parallel - rest)
    longer = 0.0 if first_prefill_s is None else first_prefill_s - prompt.pass_s
    first = (r.request_s + tpot / 2 + turn) * r.first
    found = Latency(
        ttft_s=first + longer * r.first,
        tpot_s=tpot,
        response_s=first + rest - r.request_s - tpot / 2,
        held_s=rest + turn,
        prefill_load=in_flight * work / (r.pipeline_parallel * (rest + turn)),
    )
    return found, ridden


def _turn_s(replica: Replica, others: Floats, rest_s: Floats, pass_s: Floats, ridden_s: Floats) -> Floats:
    """W: the positive root of W^2 + W (rest - t_p - phi others r) - t_p rest = 0."""
    half = (pass_s + replica.queueing * others * ridden_s - rest_s) / 2
    turn: Floats = half + np.sqrt(half * half + pass_s * rest_s)
    return turn


def concurrency_at(requests_per_s: Floats, most: Floats, held_s: Callable[[Floats], Floats]) -> Floats:
    """Requests in flight at an arrival rate: the root of rate x held(B) - B, by false position.

    Illinois variant: an end that stays twice has its value halved. Rates beyond what the replica can carry give
    ``most``.
    """

    def excess(in_flight: Floats) -> Floats:
        return requests_per_s * held_s(in_flight) - in_flight

    low, high = np.zeros_like(most), most
    above, below = np.maximum(excess(low), TINY), np.minimum(excess(high), 0.0)
    full = below >= 0
    moved, root = np.zeros(len(low)), high
    for _ in range(FALSE_POSITIONS):
        root = (low * below - high * above) / (below - above)
        value = excess(root)
        up = value > 0
        above, below = np.where(~up & (moved < 0), above / 2, above), np.where(up & (moved > 0), below / 2, below)
        low, above = np.where(up, root, low), np.where(up, value, above)
        high, below = np.where(up, high, root), np.where(up, below, value)
        moved = np.where(up, 1.0, -1.0)
    return np.where(full, most, np.minimum(root, most))


def closed(
    replica: Replica,
    crowd: tuple[Floats, Floats],
    places: tuple[Floats, Floats],
    input_tokens: Floats,
    output_tokens: Floats,
    p: Parameters,
) -> Served:
    """N clients, each sends the next request when one ends; those beyond ``most`` wait for a place.

    ttft = steady + wait for a place + (burst (N-1)/2 + cohort) t_p: the load generator's start, in which all come at
    once, and the clients of equal requests, who move together. What they are waited for then, decode does not lose
    again. An engine lets a request in when its prompt fits and evicts later, so the rest of the waiting stretches the
    answer. ``crowd``: the clients, and the decode steps that each request is held back before it is read. ``places``:
    how many requests fit, and how many the engine lets in beside each other (``entering_of``).
    """
    clients, held_back_steps = crowd
    most, entering = places
    prompt = prompt_of(replica, input_tokens, p)
    in_flight = np.clip(clients, 1.0, most)
    found, ridden = _steady(replica, in_flight, output_tokens, prompt, p)
    waiting = found.response_s * np.maximum(clients / in_flight - 1, 0.0)
    before = np.minimum(found.response_s * np.maximum(clients - entering, 0.0) / in_flight, waiting)
    others = in_flight - 1
    before_mine = replica.burst * others / 2 + replica.cohort * np.minimum(others / FULL_COHORT, 1.0)
    ttft = found.ttft_s + before + before_mine * prompt.pass_s * replica.first + held_back_steps * found.tpot_s
    later = np.maximum(output_tokens - 1, 1.0)
    spared = replica.interference * np.minimum(before_mine, others) * ridden
    tpot = found.tpot_s - spared / np.maximum(output_tokens, 1.0) + (waiting - before) / later
    response = ttft + np.maximum(output_tokens - 1, 0.0) * tpot
    return Served(output_tokens_per_s=clients * output_tokens / response, ttft_s=ttft, tpot_s=tpot)


def batch(
    replica: Replica, size: Floats, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters
) -> Served:
    """A batch run to its end, in waves where it does not fit: B o / (waves (prefill + (o - 1) step) + t_request)."""
    r = replica
    waves = np.maximum(size / np.clip(size, 1.0, np.minimum(most, r.together)), 1.0)
    waves = np.where(np.isfinite(r.together) | (r.reserved >= 1), np.ceil(waves - TINY), waves)
    in_flight = np.maximum(size / waves, 1.0)
    compiled = r.compiled_batch > 0
    stepped = np.maximum(in_flight, r.compiled_batch)
    step = decode_step(r, stepped, p, _in_a_stage(r, stepped, 1.0)).total_s
    read = np.where(compiled, r.compiled_tokens, input_tokens)
    stage = _in_a_stage(r, in_flight, read)
    first = prefill(r, read, p, stage).total_s * (1 + (in_flight / stage - 1) / r.pipeline_parallel)
    first = first + compiled * in_flight * np.maximum(input_tokens - read, 0.0) * step
    whole = waves * (first + np.maximum(output_tokens - 1, 0.0) * step) + r.request_s
    ttft = (replica.request_s + first) * replica.first
    return Served(output_tokens_per_s=size * output_tokens / whole, ttft_s=ttft, tpot_s=step)


def _in_a_stage(replica: Replica, sequences: Floats, tokens: Floats | float) -> Floats:
    """How many sequences of so many tokens are in a pipeline stage at a time.

    As many for each stage, at least one; or, by engines that cut a batch by halves, all of it where the stages do not
    divide it, and half of that while it has more tokens than such an engine takes and is even.
    """
    r = replica
    evenly = np.maximum(sequences / r.pipeline_parallel, 1.0)
    halving = np.isfinite(r.microbatch_tokens) & (r.pipeline_parallel > 1)
    if not halving.any():
        return evenly
    part = np.where(sequences % r.pipeline_parallel == 0, evenly, np.ceil(sequences))
    for _ in range(HALVINGS):
        part = np.where((part * tokens > r.microbatch_tokens) & (part % 2 == 0), part / 2, part)
    return np.where(halving, part, evenly)


def bulk(
    replica: Replica, requests: Floats, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters
) -> Served:
    """All requests at once: as many in flight as fit, and a tail in which the last ones leave places empty."""
    in_flight = np.clip(requests, 1.0, most)
    found = steady(replica, in_flight, output_tokens, prompt_of(replica, input_tokens, p), p)
    tail = 1 + p.bulk_tail * in_flight / np.maximum(requests, in_flight)
    rate = in_flight * output_tokens / (found.held_s * tail) * replica.bulk
    waiting = found.response_s * np.maximum(np.minimum(requests / in_flight, 1e6) - 1, 0.0) / 2
    return Served(output_tokens_per_s=rate, ttft_s=found.ttft_s + waiting, tpot_s=found.tpot_s)


def limited(
    found: Served,
    replica: Replica,
    most: Floats,
    limits: tuple[Floats, Floats],
    size: tuple[Floats, Floats],
    p: Parameters,
) -> Served:
    """Bulk work under a benchmark's limits of TTFT and TPOT (seconds; infinite where it has none).

    The output is what ``found`` says, which has the usual loss of the scenario, or what so many requests in flight put
    out as keep the limits in the mean (at least one), whichever is less.
    """
    held = np.flatnonzero(np.isfinite(limits[0]) | np.isfinite(limits[1]))
    if not len(held):
        return found
    ttft_s, tpot_s, input_tokens, output_tokens = (column[held] for column in (*limits, *size))
    part = replica.take(held)
    prompt = prompt_of(part, input_tokens, p)

    def served(in_flight: Floats) -> Latency:
        return steady(part, in_flight, output_tokens, prompt, p)

    low, high = np.zeros(len(held)), np.log(most[held])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        now = served(np.exp(middle))
        late = (now.ttft_s > ttft_s) | (now.tpot_s > tpot_s)
        low, high = np.where(late, low, middle), np.where(late, middle, high)
    in_flight = np.exp(low)
    rate = found.output_tokens_per_s.copy()
    rate[held] = np.minimum(rate[held], in_flight * output_tokens / served(in_flight).held_s)
    return Served(output_tokens_per_s=rate, ttft_s=found.ttft_s, tpot_s=found.tpot_s)


def arriving(
    replica: Replica,
    load: tuple[Floats, Floats],
    places: tuple[Floats, Floats],
    input_tokens: Floats,
    output_tokens: Floats,
    p: Parameters,
) -> Served:
    """Arrivals at a rate for a number of requests (``load``); beyond what fits, a queue grows until the run ends.

    The figures are those of the run's middle request, because such runs are published by their medians: it waits for
    the prompts before it, where they come faster than they are prefilled, and for a place.
    """
    (rate, requests), (most, entering) = load, places
    prompt = prompt_of(replica, input_tokens, p)

    def at(in_flight: Floats) -> Latency:
        return steady(replica, np.maximum(in_flight, 1.0), output_tokens, prompt, p)

    in_flight = concurrency_at(rate, most, lambda n: _met(rate * at(n).held_s, requests) / rate)
    found, carried = at(in_flight), carried_per_s(replica, most, input_tokens, output_tokens, p)
    let_in = np.minimum(requests / 2, entering)
    wait = (requests / 2 - let_in) * np.maximum(1 / carried - 1 / rate, 0.0)
    wait += let_in * np.maximum((prompt.compute_s + prompt.wire_s) * replica.pace - 1 / rate, 0.0)
    served = np.minimum(rate, carried) * output_tokens
    return Served(output_tokens_per_s=served, ttft_s=found.ttft_s + wait, tpot_s=found.tpot_s)


def carried_per_s(replica: Replica, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters) -> Floats:
    """Requests a second that end when as many are in flight as fit."""
    found: Floats = most / steady(replica, most, output_tokens, prompt_of(replica, input_tokens, p), p).held_s
    return found


def entering_of(replica: Replica, most: Floats, limit: Floats, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """How many requests an engine lets in where ``most`` fit, up to its own ``limit``.

    One that evicts wants room for the prompt and a part of the answer alone.
    """
    share = np.where(replica.reserved >= 1, replica.reserved, ROOM_AT_START)
    more = (input_tokens + replica.reserved * output_tokens) / (input_tokens + share * output_tokens)
    found: Floats = np.minimum(most * more, np.maximum(limit, most))
    return found


def _met(lasting: Floats, requests: Floats) -> Floats:
    """How many others the middle request of a run meets: arrivals that would last at ``lasting`` in flight, but end.

    Of N requests at a rate that would keep A in flight: A where A <= N/2, else A - (A - N/2)^2/A, the mean over the
    life of the middle one of a flow that begins and ends. 0 requests: the run is long.
    """
    total = np.where(requests > 0, requests, np.inf)
    less = np.maximum(lasting - total / 2, 0.0)
    found: Floats = lasting - less * less / np.maximum(lasting, TINY)
    return found
