"""What nobody stated and the plan took anyway, in sentences."""

from datetime import date

from breakeven.catalogue.load import Catalogue
from breakeven.cost.hosting import BYTES_PER_STREAMED_TOKEN, LOG_BYTES_PER_REQUEST, HostedCosts
from breakeven.options.hosted import HostedGrid
from breakeven.options.terms import COMMITTED_YEARS, SPOT
from breakeven.performance.predict import Speed
from breakeven.wording import joined, worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Burstiness, Workload


def assumptions_of(
    workload: Workload, policy: Policy, grid: HostedGrid, speed: Speed, hosted: HostedCosts, hybrids: int = 0
) -> tuple[str, ...]:
    """What nobody stated and the plan took anyway, in sentences."""
    found = [*workload.assumptions, *_on_success(policy), *_on_fine_tuning(policy)]
    if not len(speed.rows):
        return (*found, *_on_outages(policy))
    found.append(_speeds(policy))
    static = {e.name for n, e in enumerate(grid.engines) if not e.continuous_batching and n in grid.engine[speed.rows]}
    if static and workload.task == "generate" and not policy.stated:
        found.append(
            worded(
                "{engines} cannot add a request to a running batch; their speed is predicted as if "
                "they could, so what they cost is a lower bound",
                engines=joined(" and ", sorted(static)),
            )
        )
    if not workload.slo.named and not policy.stated:
        found.append("no latency target: machines are filled as far as memory and engine admit")
    found += _queueing(workload)
    found += _buying(policy, hosted)
    if workload.mix.mean.cached_input and not policy.stated:
        found.append("cached input is found in the prefix cache of one's own machines as often as in the API's")
    found.append(
        worded(
            "answers leave AWS as events of {token:g} bytes a token; logs of {logs:g} bytes a request",
            token=BYTES_PER_STREAMED_TOKEN,
            logs=LOG_BYTES_PER_REQUEST,
        )
    )
    if workload.spread_evenly:
        found.append("work that may wait a day is spread evenly over it on machines of one's own")
    if workload.batch is not None:
        found.append(
            worded(
                "work that may wait {hours:g} h comes evenly and is done where machines stand idle, "
                "behind the requests that cannot wait; no hybrids are formed beside it",
                hours=workload.batch.within_h,
            )
        )
    if hybrids:
        found.append(
            "a hybrid sends a request to the paid API when no place is free on one's own machines (Poisson arrivals, "
            "Erlang's loss formula); base and API are of one class of quality, and may be different models"
        )
    found += _on_outages(policy)
    if policy.people is None:
        found.append("people are not counted (`people` in the spec)")
    return tuple(found)


def beyond_catalogue(as_of: date, catalogue: Catalogue) -> tuple[str, ...]:
    """What a plan must say of a day after the last reading of a source."""
    last = catalogue.last_day
    if as_of <= last:
        return ()
    return (worded("prices and offers as read until {day}: what changed since is not known", day=last),)


def _speeds(policy: Policy) -> str:
    """Where the speeds of one's own machines come from."""
    if policy.stated:
        return worded(
            "self-hosted machines: {seconds:g} s a response, {concurrency} at a time, as stated; "
            "no speed was predicted",
            seconds=policy.stated.response_s,
            concurrency=policy.stated.concurrency,
        )
    return (
        "speeds are predicted by equations fitted on public measurements (basis: calibrated where the stack was "
        "measured on that hardware generation, else extrapolated); bills say what the 80 % band means in dollars"
    )


def _buying(policy: Policy, hosted: HostedCosts) -> list[str]:
    """How many machines are bought for how long."""
    scaling = "hour by hour" if policy.scaling == "hourly" else "fixed at the busiest hour"
    least = worded(
        ", at least {n} replicas" if policy.min_replicas > 1 else ", at least {n} replica", n=policy.min_replicas
    )
    starts = ""
    if policy.scaling == "hourly":
        starts = worded(
            "; a machine is paid {minutes:g} minutes before it serves, and a fleet carries what the "
            "traffic grows by meanwhile",
            minutes=policy.startup_minutes,
        )
    sized = worded("fleets are sized {scaling}{least}{starts}", scaling=scaling, least=least, starts=starts)
    found: list[str] = [sized]
    offers = [hosted.options.offers[n] for n in set(hosted.options.offer.tolist())]
    committed = sorted({offer.term for offer in offers if offer.term in COMMITTED_YEARS})
    if committed:
        found.append(
            worded(
                "{terms}: paid for years whether used or not, for as many machines as that is "
                "cheaper for; those above are on demand",
                terms=joined(", ", committed),
            )
        )
    if any(offer.price and offer.price.date_basis == "derived" and offer.term in COMMITTED_YEARS for offer in offers):
        found.append(
            "the catalogue's reserved-1y prices are second-hand, and that they are for one year without upfront "
            "payment is inferred from their ratio to on demand"
        )
    if any(offer.term == SPOT for offer in offers):
        found.append(
            "spot machines are taken away one by one; spares stand beside them while others start, and what was lost "
            "is served again"
        )
    return found


def _queueing(workload: Workload) -> list[str]:
    """How the waiting of requests was counted."""
    if workload.spread_evenly:
        return []
    share, bursts = f"p{workload.slo.quantile * 100:g}", workload.burstiness
    kept = (
        worded("sized so that the target holds at {share} in every hour, the wait for a place included", share=share)
        if workload.slo.ttft_s is not None
        else worded(
            "no target for the first token: sized so that at {share} in every hour the wait for a "
            "place is no longer than an answer takes",
            share=share,
        )
    )
    arrivals = (
        "how bursty the arrivals are was not given (`traffic.burstiness`): taken as independent (Poisson), "
        "at one rate within each hour"
        if bursts is None
        else _bursts_told(bursts)
    )
    return [joined("; ", (kept, "replicas behind least-outstanding-requests routing")), arrivals]


def _bursts_told(bursts: Burstiness) -> str:
    told = worded(
        "bursts as stated: the time between two requests varies by {gap:g} of its mean, and the "
        "rate by {rate:.0%} within an hour",
        gap=bursts.gap_variation,
        rate=bursts.rate_variation,
    )
    if not bursts.rate_variation:
        return told
    if bursts.rate_stays_s is None:
        return joined("; ", (told, "for how long it stays is not known, and taken as long beside an answer"))
    return joined("; ", (told, worded("it stays for {stays:g} s on average", stays=bursts.rate_stays_s)))


def _on_outages(policy: Policy) -> list[str]:
    """What bills take for outages."""
    if policy.availability is None:
        return ["outages are not counted (`availability` in the spec)"]
    found = [
        "where the spec gives no share of the time that a part is up, the published service level of its provider is "
        "taken: a promise, not a measurement; without one the line says that it is not known"
    ]
    if policy.availability.failover != "replica":
        found.append("a machine of one's own that is away sheds its part of the traffic: no other takes it over")
    return found


def _on_success(policy: Policy) -> list[str]:
    """What the cost of a right answer takes for granted."""
    answers = policy.quality
    if answers is None or not answers.success:
        return []
    found = [
        "success rates are those you gave, on your own task; that of a model is taken to hold with all who sell it and "
        "in formats of 8 bits or more, and not below"
    ]
    if answers.repeats:
        checker = answers.checker
        if checker is None:
            found.append("every wrong answer is found and no right one is sent back, for free (`quality.checker`)")
        elif checker.usd_per_answer is None:
            found.append("checks of answers are not counted (`quality.checker.usd_per_answer`)")
        if answers.shared_failures is None:
            found.append(
                "attempts fail by chance alone: where the hard requests are the same for every attempt and model, "
                "retries and fall-backs help less (`quality.shared_failures`)"
            )
        found.append(
            "the latency target is kept by each attempt for itself; a request that is tried again waits for the whole "
            "answer before"
        )
    return found


def _on_fine_tuning(policy: Policy) -> list[str]:
    """What the price of training takes for granted."""
    if not policy.fine_tuning:
        return []
    found = ["the success after fine-tuning is what you stated; its quality score is not known"]
    if any(tuning.method for tuning in policy.fine_tuning):
        found.append(
            "training reaches the share of the datasheet's rate that reading prompts does, unless stated; LoRA's "
            "matrices are added to the weights before it serves, so it is as fast as its base"
        )
    if any(tuning.examples_usd is None for tuning in policy.fine_tuning):
        found.append("gathering examples is not counted (`fine_tuning.examples_usd`)")
    return found
