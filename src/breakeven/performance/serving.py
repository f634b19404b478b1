"""What one replica does with its requests: steady serving, a batch run to its end, work handed over at once, arrivals.

With B requests in flight, each producing o tokens after a prefill of t_p seconds, the B - 1 others get in the way:

    tpot = step(B) + theta (B-1)/o t_p            prefill takes time from decode (chunked prefill)
    rest = t_request + tpot/2 + (o - 1) tpot      what is not prefill
    W    = t_p (1 + phi (B-1) W/(W + rest))       prefill and the wait for it: each of the others is in it for a
                                                  share W/(W + rest) of its time (mean-value analysis)
    ttft = first (t_request + tpot/2 + W)         first: what clients see beside it, 1 without measurements
    response = ttft + (o - 1) tpot
    held = rest + W, and never less than B t_p: prefill has no more time than there is
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats
from breakeven.performance.calibration import Parameters
from breakeven.performance.roofline import Replica, decode_step, prefill

TINY = 1e-12
ROOM_AT_START = 0.1
"""Share of an answer for which an engine wants room before it lets a request in."""
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
    prefill_s: Floats,
    parameters: Parameters,
    first_prefill_s: Floats | None = None,
) -> Latency:
    """Steady serving with so many requests in flight (at least 1).

    ``first_prefill_s``: the prefill of the request whose first token is told, where it is not the mean one.
    """
    r = replica
    others = in_flight - 1
    step = decode_step(r, in_flight, parameters).total_s
    tpot = step + r.interference * others / output_tokens * prefill_s
    rest = r.request_s + tpot / 2 + np.maximum(output_tokens - 1, 0.0) * tpot
    turn = _turn_s(r, others, rest, prefill_s)
    longer = 0.0 if first_prefill_s is None else first_prefill_s - prefill_s
    first = (r.request_s + tpot / 2 + turn) * r.first
    return Latency(
        ttft_s=first + longer * r.first,
        tpot_s=tpot,
        response_s=first + rest - r.request_s - tpot / 2,
        held_s=rest + turn,
        prefill_load=in_flight * prefill_s / (rest + turn),
    )


def _turn_s(replica: Replica, others: Floats, rest_s: Floats, prefill_s: Floats) -> Floats:
    """W: the positive root of W^2 + W (rest - t_p (1 + phi others)) - t_p rest = 0."""
    half = (prefill_s * (1 + replica.queueing * others) - rest_s) / 2
    turn: Floats = half + np.sqrt(half * half + prefill_s * rest_s)
    return np.maximum(turn, prefill_s * (1 + others) - rest_s)


def concurrency_at(requests_per_s: Floats, most: Floats, held_s: Callable[[Floats], Floats]) -> Floats:
    """Requests in flight at an arrival rate: the root of rate x held(B) - B, by false position.

    Illinois variant: an end that stays twice has its value halved. Rates beyond what the replica can carry give
    ``most``.
    """

    def excess(in_flight: Floats) -> Floats:
        return requests_per_s * held_s(in_flight) - in_flight

    low, high = np.zeros_like(most), most
    above, below = np.maximum(excess(low), TINY), np.minimum(excess(high), 0.0)
    moved, root = np.zeros(len(low)), high
    for _ in range(FALSE_POSITIONS):
        root = (low * below - high * above) / (below - above)
        value = excess(root)
        up = value > 0
        above, below = np.where(~up & (moved < 0), above / 2, above), np.where(up & (moved > 0), below / 2, below)
        low, above = np.where(up, root, low), np.where(up, value, above)
        high, below = np.where(up, high, root), np.where(up, below, value)
        moved = np.where(up, 1.0, -1.0)
    return np.minimum(root, most)


def closed(
    replica: Replica, clients: Floats, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters
) -> Served:
    """N clients, each sends the next request when one ends; those beyond ``most`` wait for a place.

    ttft = steady + wait for a place + burst (N-1)/2 t_p, the burst being the load generator's start. An engine lets a
    request in when its prompt fits and evicts later, so the rest of the waiting stretches the answer.
    """
    alone = prefill(replica, input_tokens, p).total_s
    in_flight = np.clip(clients, 1.0, most)
    found = steady(replica, in_flight, output_tokens, alone, p)
    waiting = found.response_s * np.maximum(clients / in_flight - 1, 0.0)
    entering = most * (input_tokens + output_tokens / 2) / (input_tokens + ROOM_AT_START * output_tokens)
    before = np.minimum(found.response_s * np.maximum(clients / np.maximum(entering, 1.0) - 1, 0.0), waiting)
    burst = replica.burst * (in_flight - 1) / 2 * alone
    ttft = found.ttft_s + before + burst * replica.first
    later = np.maximum(output_tokens - 1, 1.0)
    tpot = found.tpot_s + (waiting - before) / later
    response = ttft + np.maximum(output_tokens - 1, 0.0) * tpot
    return Served(output_tokens_per_s=clients * output_tokens / response, ttft_s=ttft, tpot_s=tpot)


def batch(
    replica: Replica, size: Floats, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters
) -> Served:
    """A batch run to its end, in waves where it does not fit: B o / (waves (prefill + (o - 1) step) + t_request)."""
    in_flight = np.clip(size, 1.0, most)
    waves = np.maximum(size / in_flight, 1.0)
    first = prefill(replica, input_tokens, p, in_flight).total_s
    step = decode_step(replica, in_flight, p).total_s
    whole = waves * (first + np.maximum(output_tokens - 1, 0.0) * step) + replica.request_s
    ttft = (replica.request_s + first) * replica.first
    return Served(output_tokens_per_s=size * output_tokens / whole, ttft_s=ttft, tpot_s=step)


def bulk(
    replica: Replica, requests: Floats, most: Floats, input_tokens: Floats, output_tokens: Floats, p: Parameters
) -> Served:
    """All requests at once: as many in flight as fit, and a tail in which the last ones leave places empty."""
    alone = prefill(replica, input_tokens, p).total_s
    in_flight = np.clip(requests, 1.0, most)
    found = steady(replica, in_flight, output_tokens, alone, p)
    tail = 1 + p.bulk_tail * in_flight / np.maximum(requests, in_flight)
    rate = in_flight * output_tokens / (found.held_s * tail) * replica.bulk
    waiting = found.response_s * np.maximum(np.minimum(requests / in_flight, 1e6) - 1, 0.0) / 2
    return Served(output_tokens_per_s=rate, ttft_s=found.ttft_s + waiting, tpot_s=found.tpot_s)


def arriving(
    replica: Replica,
    load: tuple[Floats, Floats],
    most: Floats,
    input_tokens: Floats,
    output_tokens: Floats,
    p: Parameters,
) -> Served:
    """Arrivals at a rate for a number of requests (``load``); beyond what fits, a queue grows until the run ends."""
    rate, requests = load
    alone = prefill(replica, input_tokens, p).total_s

    def at(in_flight: Floats) -> Latency:
        return steady(replica, np.maximum(in_flight, 1.0), output_tokens, alone, p)

    in_flight = concurrency_at(rate, most, lambda n: at(n).held_s)
    found, carried = at(in_flight), most / at(most).held_s
    wait = np.maximum(requests - most, 0.0) / 2 * np.maximum(1 / carried - 1 / rate, 0.0)
    served = np.minimum(rate, carried) * output_tokens
    return Served(output_tokens_per_s=served, ttft_s=found.ttft_s + wait, tpot_s=found.tpot_s)
