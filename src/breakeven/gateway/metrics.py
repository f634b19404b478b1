"""Prometheus metrics: usage records added up as they come, and written out when somebody asks.

Adding a record up costs well under a microsecond, because it is integers in a row of our own; the library's counters
would take seventeen. What is written, and how, is the library's.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from breakeven.gateway.caller import Receive, Scope, Send
from breakeven.gateway.records import UsageRecord
from breakeven.units import PICO_USD_PER_USD

OTHER = "other"  # models that the configuration does not name: whoever calls must not be able to grow our memory
NOBODY = "none"  # no upstream was asked
BREAKER_STATES = ("closed", "half-open", "open")
SECONDS_UP_TO = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
BOUNDS = (*(str(bound) for bound in SECONDS_UP_TO), "+Inf")
TOKEN_KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What only the moment knows; asked for when metrics are read.

    Attributes:
        in_flight: Requests at each upstream.
        queued: Requests that wait for a place.
        breakers: The state of each upstream's circuit breaker, one of ``BREAKER_STATES``.
        records_waiting: Usage records not yet stored.
        records_lost: Usage records that could not be stored since the start.
        idle_usd: What each own machine has cost since the start while it served nobody.
    """

    in_flight: Mapping[str, int] = {}
    queued: int = 0
    breakers: Mapping[str, str] = {}
    records_waiting: int = 0
    records_lost: int = 0
    idle_usd: Mapping[str, float] = {}


class _Spread:
    """Seconds in buckets; the last one has no end."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS_UP_TO, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        return list(zip(BOUNDS, map(float, accumulate(self.counts)), strict=True))


class _Sums:
    """All that one model at one upstream has used."""

    __slots__ = ("attempts", "cost_pico_usd", "duration", "tokens", "ttft", "uncounted", "unpriced")

    def __init__(self) -> None:
        self.attempts = self.cost_pico_usd = self.uncounted = self.unpriced = 0
        self.tokens = [0] * len(TOKEN_KINDS)
        self.ttft, self.duration = _Spread(), _Spread()

    def add(self, record: UsageRecord) -> None:
        self.attempts += record.attempts
        if record.cost_pico_usd is None:
            self.unpriced += 1
        else:
            self.cost_pico_usd += record.cost_pico_usd
        if record.input_tokens is None and record.output_tokens is None:
            self.uncounted += 1
        tokens = self.tokens
        tokens[0] += record.input_tokens or 0
        tokens[1] += record.cached_input_tokens or 0
        tokens[2] += record.cache_write_tokens or 0
        tokens[3] += record.output_tokens or 0
        tokens[4] += record.reasoning_tokens or 0
        if record.ttft_s is not None:
            self.ttft.add(record.ttft_s)
        self.duration.add(record.duration_s)


class Metrics(Collector):
    """Everything that ``/metrics`` shows."""

    def __init__(self, models: Iterable[str], live: Callable[[], Live] = Live) -> None:
        """``models``: the names that get a series of their own; all others share one."""
        self._models = frozenset(models)
        self._live = live
        self._requests: dict[tuple[str, str, int, str], int] = {}
        self._sums: dict[tuple[str, str], _Sums] = {}

    def observe(self, record: UsageRecord) -> None:
        """Add one request up."""
        model = record.model if record.model in self._models else OTHER
        upstream = record.upstream or NOBODY
        ended = (model, upstream, record.status, record.outcome)
        self._requests[ended] = self._requests.get(ended, 0) + 1
        sums = self._sums.get((model, upstream))
        if sums is None:
            sums = self._sums[model, upstream] = _Sums()
        sums.add(record)

    def exposed(self, accept: str = "") -> tuple[bytes, str]:
        """What to answer, and its content type: Prometheus' text, or OpenMetrics where the caller accepts it."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self), content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same as an ASGI application, for ``/metrics``."""
        del receive
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        body, content_type = self.exposed(accept.decode("latin-1"))
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def collect(self) -> Iterator[Metric]:
        """The families, as the library wants them."""
        yield self._counted_requests()
        yield from self._summed()
        yield from self._spread()
        yield from _now(self._live())

    def _counted_requests(self) -> Metric:
        requests = CounterMetricFamily(
            "breakeven_requests", "Requests that ended.", labels=("model", "upstream", "status", "outcome")
        )
        for (model, upstream, status, outcome), count in self._requests.items():
            requests.add_metric((model, upstream, str(status), outcome), count)
        return requests

    def _summed(self) -> Iterator[Metric]:
        where = ("model", "upstream")
        tokens = CounterMetricFamily(
            "breakeven_tokens",
            "Tokens by kind; cached_input and cache_write are part of input, reasoning is part of output.",
            labels=(*where, "kind"),
        )
        cost = CounterMetricFamily("breakeven_cost_usd", "Dollars, where the cost is known.", labels=where)
        unpriced = CounterMetricFamily("breakeven_requests_unpriced", "Requests of unknown cost.", labels=where)
        uncounted = CounterMetricFamily("breakeven_requests_uncounted", "Requests of unknown tokens.", labels=where)
        attempts = CounterMetricFamily("breakeven_attempts", "Times that an upstream was asked.", labels=where)
        for labels, sums in self._sums.items():
            for kind, count in zip(TOKEN_KINDS, sums.tokens, strict=True):
                tokens.add_metric((*labels, kind), count)
            cost.add_metric(labels, sums.cost_pico_usd / PICO_USD_PER_USD)
            unpriced.add_metric(labels, sums.unpriced)
            uncounted.add_metric(labels, sums.uncounted)
            attempts.add_metric(labels, sums.attempts)
        yield from (tokens, cost, unpriced, uncounted, attempts)

    def _spread(self) -> Iterator[Metric]:
        where = ("model", "upstream")
        ttft = HistogramMetricFamily("breakeven_ttft_seconds", "Arrival to first byte of the answer.", labels=where)
        duration = HistogramMetricFamily("breakeven_duration_seconds", "Arrival to last byte.", labels=where)
        for labels, sums in self._sums.items():
            ttft.add_metric(labels, sums.ttft.buckets(), sums.ttft.sum_s)
            duration.add_metric(labels, sums.duration.buckets(), sums.duration.sum_s)
        yield from (ttft, duration)


def _now(live: Live) -> Iterator[Metric]:
    """The moment, as gauges, and what others have counted."""
    in_flight = GaugeMetricFamily("breakeven_in_flight", "Requests at an upstream.", labels=("upstream",))
    for upstream, count in live.in_flight.items():
        in_flight.add_metric((upstream,), count)
    breakers = GaugeMetricFamily(
        "breakeven_breaker", "1 for the state that an upstream's circuit breaker is in.", labels=("upstream", "state")
    )
    for upstream, state in live.breakers.items():
        for known in BREAKER_STATES:
            breakers.add_metric((upstream, known), state == known)
    idle = CounterMetricFamily(
        "breakeven_idle_usd", "Dollars of own machines that served nobody.", labels=("upstream",)
    )
    for upstream, usd in live.idle_usd.items():
        idle.add_metric((upstream,), usd)
    yield from (in_flight, breakers, idle)
    yield GaugeMetricFamily("breakeven_queued", "Requests that wait for a place.", live.queued)
    yield GaugeMetricFamily("breakeven_records_waiting", "Usage records not yet stored.", live.records_waiting)
    yield CounterMetricFamily("breakeven_records_lost", "Usage records that were not stored.", live.records_lost)
