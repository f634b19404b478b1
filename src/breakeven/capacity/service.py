"""What one replica with continuous batching does at each number of requests in it."""

from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats, Ints

SELDOM = 5
"""Power of the requests in a replica, below one, with which two in one and none in another are met."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What one replica does at a few levels of concurrency: rows x levels, straight between them."""

    concurrency: Floats
    """Requests in the replica, rising from 1; the last level is the cap B."""
    held_s: Floats
    """How long a request holds its place among so many."""
    ttft_s: Floats
    """From its place to its first token."""
    tpot_s: Floats

    @property
    def cap(self) -> Floats:
        """Of each row: the most requests that a replica takes."""
        most: Floats = self.concurrency[:, -1]
        return most

    @property
    def full_rate_per_s(self) -> Floats:
        """Of each row: the requests that a full replica answers, mu(B)."""
        rate: Floats = self.cap / self.held_s[:, -1]
        return rate

    def take(self, rows: Ints | slice) -> "Service":
        """Some of the rows, in that order."""
        return Service(
            concurrency=self.concurrency[rows],
            held_s=self.held_s[rows],
            ttft_s=self.ttft_s[rows],
            tpot_s=self.tpot_s[rows],
        )

    def at(self, column: Floats, requests: Floats) -> Floats:
        """A column (one of the above) with so many requests in the replica, rows x points."""
        found = np.empty(requests.shape)
        for row in range(len(requests)):
            found[row] = np.interp(requests[row], self.concurrency[row], column[row])
        return found

    def leaving_per_s(self, requests: Floats, uneven: Floats) -> Floats:
        """Mu of a replica that holds so many on average, rows x points.

        Between whole numbers it is straight, as of replicas that hold one more or one less; a share ``uneven`` of them
        stands one further up or down. Below one request a replica hardly any does: none gets a second one before all
        have a first.
        """
        whole = np.floor(requests)
        rates = [np.maximum(whole + n, 0) / self.at(self.held_s, whole + n) for n in (-1, 0, 1, 2)]
        steps = [np.minimum(rate, self.full_rate_per_s[:, None]) for rate in rates]
        between = requests - whole
        bends = [np.where(whole + n > 0, steps[n] - 2 * steps[n + 1] + steps[n + 2], 0.0) for n in (0, 1)]
        bend = bends[0] + between * (bends[1] - bends[0])
        apart = uneven * np.minimum(requests, 1.0) ** SELDOM
        found: Floats = steps[1] + between * (steps[2] - steps[1]) + apart / 2 * bend
        return found
