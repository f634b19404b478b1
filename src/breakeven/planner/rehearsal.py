"""An option of a plan made ready for a replay: its replicas at every concurrency, and requests as work for them."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from breakeven.capacity.simulate import Arrivals, Curve
from breakeven.catalogue.schema import MachinePrice
from breakeven.cost.api import requests_usd
from breakeven.decision.curves import take_one
from breakeven.decision.rank import Contender
from breakeven.errors import SpecError
from breakeven.options.columns import Floats
from breakeven.performance.attention import kv_bytes
from breakeven.performance.predict import Speed, take
from breakeven.performance.roofline import Prompt, prompt_of
from breakeven.planner.spine import Plan
from breakeven.units import SECONDS_PER_HOUR
from breakeven.workload.usage import TokenMix, TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Requests in the order in which they came, by their tokens."""

    at_s: Floats
    input: Floats
    cached: Floats
    """The part of the input that is not computed again."""
    output: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rehearsal:
    """Everything that the replay of one option needs, and what its machines cost."""

    option: str
    curve: Curve
    arrivals: Arrivals
    per_machine: int
    planned_machines: int
    """Of the plan's busiest hour."""
    planned_requests_per_s: float
    """Of the plan's busiest hour."""
    price: MachinePrice
    """Of a machine of the term."""
    beside: MachinePrice | None
    """Of a machine by the hour, beside those that are paid around the clock; ``None``: all of them are."""
    committed_machines: int
    """So many machines the plan pays around the clock, used or not."""
    streams: bool
    """Whether the path hands on the first token before the last."""


def rehearsal(plan: Plan, name: str, requests: Requests) -> Rehearsal:
    """A hosted option of a plan, by its id, and the work that the requests are for it.

    The replicas are as fast as they are with requests of these lengths. They take as many at a time as the plan found
    to keep its target, or as their memory holds.

    Raises:
        UnknownNameError: no such option competes.
        SpecError: the option is a paid API, or the requests are no work for it.
    """
    return _rehearsal(plan, check_hosted(plan, name), requests)


def check_hosted(plan: Plan, name: str) -> Contender:
    """The contender of that name, which must be one on machines of one's own.

    Raises:
        UnknownNameError: no such option competes.
        SpecError: it is a paid API.
    """
    contender = plan.named(name)
    if contender.kind == "api":
        raise SpecError(
            f"{plan.option_id(contender)} is a paid API: how it queues is not known",
            expected="an option on machines of your own, for example host:...",
            do="Choose one with `breakeven compare --by option --top 20`",
        )
    return contender


def check_api(plan: Plan, name: str) -> Contender:
    """The contender of that name, which must be a paid API.

    Raises:
        UnknownNameError: no such option competes.
        SpecError: it is none.
    """
    contender = plan.named(name)
    if contender.kind != "api":
        raise SpecError(
            f"--overflow {plan.option_id(contender)} is no paid API",
            expected="an API, for example api:...",
            do="`breakeven compare SPEC --by option` lists them",
        )
    return contender


def _rehearsal(plan: Plan, contender: Contender, requests: Requests) -> Rehearsal:
    options, number = plan.hosted.options, contender.number
    at, pair = int(options.row[number]), int(options.pair[number])
    offer = options.offers[options.offer[number]]
    if offer.price is None:  # options without a price do not compete
        raise SpecError(f"{offer.machine} has no price", expected="a priced machine", do="Choose another option")
    speed = _as_they_are(take_one(plan.speed, at), requests)
    curve, arrivals = _work(plan, speed, requests)
    return Rehearsal(
        option=plan.option_id(contender),
        curve=curve,
        arrivals=arrivals,
        per_machine=int(plan.sizing.pair_replicas_per_machine[pair]),
        planned_machines=int(plan.sizing.peak_machines[pair]),
        planned_requests_per_s=max(plan.workload.requests_per_hour) / SECONDS_PER_HOUR,
        price=offer.price,
        beside=offer.beside,
        committed_machines=int(plan.sizing.bought.committed[pair, plan.sizing.ways.way[options.offer[number]]]),
        streams=offer.path.streams,
    )


def _as_they_are(speed: Speed, requests: Requests) -> Speed:
    """One entry of a speed, with the mean tokens of the requests instead of the workload's."""
    generates, output = speed.workload.task == "generate", requests.output
    if generates != bool(output.any()):
        raise SpecError(
            f"the workload is to {speed.workload.task}, and the log has {'some' if output.any() else 'no'} output",
            expected="a log of the same kind of work as the spec",
            do="Correct task in the spec, or give another log",
        )
    mean = TokenUsage(input=float(requests.input.mean()), output=float(output.mean()))
    total = max(float(output.sum()), 1.0)
    context = float((output * (requests.input + output / 2)).sum()) / total if generates else mean.input
    replica = replace(speed.replica, context_tokens=context)
    each = _prompts(speed, requests)
    mean_prompt = Prompt(**{name: np.array([getattr(each, name).mean()]) for name in Prompt.__slots__})
    return replace(
        speed,
        workload=msgspec.structs.replace(speed.workload, mix=TokenMix.of(mean)),
        replica=replica,
        prompt=mean_prompt,
        long_prefill_s=mean_prompt.pass_s,
    )


def _prompts(speed: Speed, requests: Requests) -> Prompt:
    """The prefill of each request."""
    lengths, place = np.unique(np.maximum(requests.input - requests.cached, 1.0), return_inverse=True)
    return prompt_of(speed.replica, lengths, speed.parameters).take(place.reshape(-1))


def _work(plan: Plan, speed: Speed, requests: Requests) -> tuple[Curve, Arrivals]:
    """The replica at every whole concurrency, and what each request asks of it."""
    generates, stated = speed.workload.task == "generate", speed.stated is not None
    row = int(speed.rows[0])
    room = np.inf if stated or not generates else float(speed.memory.room_bytes[row])
    model = plan.grid.models[int(plan.grid.model[row])]
    need = kv_bytes(model, requests.input + requests.output) if room < np.inf else np.zeros(len(requests.at_s))
    places = _places(speed, room, need)
    each = take(speed, np.zeros(places, dtype=np.int64), np.arange(1.0, places + 1))
    found = each.latency(each.largest_concurrency)
    alone = _prompts(speed, requests).pass_s
    tokens = generates and not stated
    curve = Curve(
        held_s=found.held_s,
        ttft_s=found.ttft_s,
        tpot_s=found.tpot_s,
        tokens=max(float(requests.output.mean()) - 1, 0.0) if tokens else 0.0,
        room=room,
        first=float(speed.replica.first[0]),
    )
    size = np.ones(len(alone)) if stated else alone / alone.mean()
    arrivals = Arrivals(
        at_s=requests.at_s,
        work=np.maximum(requests.output - 1, 0.0) if tokens else size,
        longer_s=alone - alone.mean() if tokens else np.zeros(len(alone)),
        need=need,
    )
    return curve, arrivals


def _places(speed: Speed, room: float, need: Floats) -> int:
    """Requests at a time: those that keep the target, where it is what bounds them; else what engine and memory hold.

    Memory is counted request by request, so short ones may be more at a time than the plan's mean ones.
    """
    planned = int(speed.largest_concurrency[0])
    if speed.stated is not None or planned < int(speed.admitted[0]):
        return planned
    smallest = float(need.min())
    return int(np.clip(room / smallest if smallest > 0 else np.inf, 1, speed.engine_limit))


def overflow_usd(plan: Plan, name: str, requests: Requests) -> tuple[str, float | None]:
    """The API's id, and what it charges for the requests; ``None``: a price that they need is not known.

    Raises:
        UnknownNameError: no such option competes.
        SpecError: the option is no paid API.
    """
    contender = check_api(plan, name)
    option = plan.api.options[contender.number]
    usd = requests_usd(option, requests.input, requests.cached, requests.output)
    cut, provider = plan.policy.api_discount, option.tariff.offer.provider
    return option.id, None if usd is None else usd * (1 - cut.get(provider, cut.get("*", 0.0)))
