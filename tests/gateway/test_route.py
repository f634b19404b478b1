"""Routing is a pure function: laws that hold for every state, and the examples that a plan promises."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.gateway.config import Routing
from breakeven.gateway.live import Live, ReplicaState
from breakeven.gateway.route import FULL, Send, Stop, Wait, Want, choose
from breakeven.gateway.rules import Replica, Route, Target

NOW_S = 1000.0
ROUTING = Routing()


def target(name: str, replicas: int = 1, concurrency: int | None = None) -> Target:
    names = [f"{name}/{n}" for n in range(1, replicas + 1)]
    return Target(
        name=name,
        kind="openai-compatible",
        replicas=tuple(Replica(name=one, url=f"http://{one}") for one in names),
        concurrency=concurrency,
    )


OWN, API = target("own", 3, 4), target("api")
HYBRID = Route(model="chat", targets=(OWN, API))
HOSTED = Route(model="chat", targets=(OWN,))
STATES = st.builds(
    ReplicaState,
    in_flight=st.integers(0, 6),
    failures=st.integers(0, 5),
    trips=st.integers(0, 2),
    resting_until_s=st.floats(NOW_S - 5, NOW_S + 5),
    probing=st.booleans(),
    not_before_s=st.floats(NOW_S - 5, NOW_S + 5),
)
NAMES = [replica.name for one in (OWN, API) for replica in one.replicas]


@st.composite
def lives(draw):
    states = {name: draw(STATES) for name in NAMES}
    return Live(replicas=states, routing=ROUTING, retries=draw(st.floats(0, 20)))


PREFIXES = st.none() | st.binary(min_size=8, max_size=8)


def live(**states: ReplicaState) -> Live:
    found = {name: ReplicaState() for name in NAMES} | {name.replace("_", "/"): one for name, one in states.items()}
    return Live(replicas=found, routing=ROUTING, retries=10.0)


@given(lives(), st.sampled_from([HYBRID, HOSTED]), PREFIXES, st.sets(st.sampled_from(NAMES)))
def test_who_is_asked_is_awake_untried_and_has_room(state, route, prefix, tried):
    choice = choose(Want(route=route, prefix=prefix, tried=tuple(tried)), state, ROUTING, NOW_S)
    if isinstance(choice, Send):
        chosen = state.replicas[choice.replica.name]
        assert choice.target in route.targets
        assert choice.replica.name not in tried
        assert chosen.may_be_asked(NOW_S)
        assert choice.target.concurrency is None or chosen.in_flight < choice.target.concurrency


@given(lives(), PREFIXES, st.sets(st.sampled_from(NAMES)))
def test_nobody_waits_and_nobody_is_refused_while_somebody_has_room(state, prefix, tried):
    open_to = [
        replica.name
        for one in HYBRID.targets
        for replica in one.replicas
        if replica.name not in tried
        and state.replicas[replica.name].may_be_asked(NOW_S)
        and (one.concurrency is None or state.replicas[replica.name].in_flight < one.concurrency)
    ]
    choice = choose(Want(route=HYBRID, prefix=prefix, tried=tuple(tried)), state, ROUTING, NOW_S)
    assert isinstance(choice, Send) == bool(open_to)


@given(lives(), PREFIXES)
def test_an_upstream_is_asked_only_if_those_before_it_have_no_room(state, prefix):
    choice = choose(Want(route=HYBRID, prefix=prefix), state, ROUTING, NOW_S)
    if isinstance(choice, Send) and choice.target is API:
        for replica in OWN.replicas:
            one = state.replicas[replica.name]
            assert not one.may_be_asked(NOW_S) or one.in_flight >= OWN.concurrency


@given(lives(), PREFIXES, st.sampled_from([HYBRID, HOSTED]))
def test_the_same_state_gives_the_same_choice_and_is_left_as_it_was(state, prefix, route):
    want = Want(route=route, prefix=prefix)
    before = repr(state)
    assert choose(want, state, ROUTING, NOW_S) == choose(want, state, ROUTING, NOW_S)
    assert repr(state) == before


@given(lives(), st.sampled_from([HYBRID, HOSTED]))
def test_a_refusal_says_when_to_ask_again(state, route):
    choice = choose(Want(route=route), state, ROUTING, NOW_S)
    if isinstance(choice, Stop):
        assert choice.retry_after_s >= 0


@given(st.binary(min_size=8, max_size=8), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_a_replica_never_gets_much_fuller_than_the_mean_for_the_sake_of_a_prefix(prefix, busy):
    state = live(**{f"own_{n}": ReplicaState(in_flight=count) for n, count in enumerate(busy, 1)})
    choice = choose(Want(route=HOSTED, prefix=prefix), state, ROUTING, NOW_S)
    assert isinstance(choice, Send)
    mean = (sum(busy) + 1) / 3
    assert state.replicas[choice.replica.name].in_flight < math.ceil(ROUTING.balance * mean)


def test_a_prefix_leaves_its_replica_when_that_is_much_fuller_than_the_others():
    want = Want(route=HOSTED, prefix=b"12345678")
    home = choose(want, live(), ROUTING, NOW_S).replica.name
    busy = live(**{home.replace("/", "_"): ReplicaState(in_flight=3)})
    assert choose(want, busy, ROUTING, NOW_S).replica.name != home


@given(st.binary(min_size=8, max_size=8))
def test_a_prefix_stays_with_its_replica_and_moves_only_if_that_goes_away(prefix):
    want = Want(route=HOSTED, prefix=prefix)
    home = choose(want, live(), ROUTING, NOW_S).replica.name
    for replica in OWN.replicas:
        resting = ReplicaState(trips=1, resting_until_s=NOW_S + 1)
        now = choose(want, live(**{replica.name.replace("/", "_"): resting}), ROUTING, NOW_S).replica.name
        assert home in (now, replica.name)


def test_prefixes_are_spread_over_the_replicas():
    wants = (Want(route=HOSTED, prefix=number.to_bytes(8, "big")) for number in range(300))
    homes = [choose(want, live(), ROUTING, NOW_S).replica.name for want in wants]
    assert all(70 < homes.count(replica.name) < 130 for replica in OWN.replicas)


def test_own_machines_take_requests_up_to_the_concurrency_and_the_api_the_rest():
    full = {f"own_{n}": ReplicaState(in_flight=4) for n in (1, 2, 3)}
    assert choose(Want(route=HYBRID), live(**{**full, "own_2": ReplicaState(in_flight=3)}), ROUTING, NOW_S) == Send(
        target=OWN, replica=OWN.replicas[1]
    )
    assert choose(Want(route=HYBRID), live(**full), ROUTING, NOW_S) == Send(target=API, replica=API.replicas[0])


def test_where_there_is_no_api_the_rest_waits_until_the_queue_is_full():
    full = live(**{f"own_{n}": ReplicaState(in_flight=4) for n in (1, 2, 3)})
    assert isinstance(choose(Want(route=HOSTED), full, ROUTING, NOW_S), Wait)
    small = Routing(queue=0)
    refused = choose(Want(route=HOSTED), full, small, NOW_S)
    assert refused == Stop(because=FULL, retry_after_s=small.queue_s)


def test_nobody_jumps_the_line():
    free = live()
    free.waiting["chat"] = [object()]
    assert isinstance(choose(Want(route=HOSTED), free, ROUTING, NOW_S), Wait)
    assert isinstance(choose(Want(route=HOSTED, first_in_line=True), free, ROUTING, NOW_S), Send)
    assert choose(Want(route=HYBRID), free, ROUTING, NOW_S).target is API


@pytest.mark.parametrize(
    ("attempts", "retries", "sends"), [(0, 0.0, True), (1, 0.9, False), (2, 1.0, True), (3, 9, False)]
)
def test_further_attempts_are_bounded_by_number_and_budget(attempts, retries, sends):
    state = replace(live(), retries=retries)
    assert isinstance(choose(Want(route=HYBRID, attempts=attempts), state, ROUTING, NOW_S), Send) == sends


@given(st.integers(1, 10), st.integers(0, 50))
def test_the_breaker_opens_at_the_limit_rests_longer_each_time_and_lets_one_probe_through(limit, more):
    routing = Routing(failures_to_open=limit, open_s=1.0, open_most_s=8.0)
    state = Live(replicas={"a": ReplicaState()}, routing=routing, retries=0)
    opened = [state.failed("a", NOW_S) for _ in range(limit)]
    assert opened == [False] * (limit - 1) + [True]
    one = state.replicas["a"]
    assert not one.may_be_asked(NOW_S + 0.99)
    assert one.may_be_asked(NOW_S + 1.0)
    state.began("a")
    assert not one.may_be_asked(NOW_S + 1.0)
    for _ in range(more):
        state.failed("a", NOW_S)
    assert one.again_s(NOW_S) == min(8.0, 2.0**more)
    state.worked("a")
    assert one.may_be_asked(NOW_S)


@given(st.lists(st.booleans(), max_size=300))
def test_further_attempts_stay_a_share_of_the_requests(retries_wanted):
    routing = Routing(retry_share=0.1, retry_least=5)
    state = Live(replicas={}, routing=routing, retries=5.0)
    made = 0
    for wanted in retries_wanted:
        state.asked()
        if wanted and state.retries >= 1.0:
            state.retried()
            made += 1
    assert made <= 5 + 0.1 * len(retries_wanted) + 1e-9
