"""A plan says what setting an option up needs to know."""

import math

import pytest

from breakeven import Workload, load_catalogue, plan
from breakeven.performance.attention import kv_bytes
from breakeven.planner.setup import setup_of
from breakeven.workload.policy import Only, Policy
from breakeven.workload.profile import Slo


@pytest.fixture(scope="module")
def planned():
    workload = Workload.of(requests_per_day=3e6, input_tokens=1500, output_tokens=400)
    policy = Policy(only=Only(kinds=("hosted",), paths=("direct",)))
    return plan(workload, load_catalogue(), policy)


def test_only_a_single_self_hosted_option_is_set_up():
    everything = plan(
        Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400, slo=Slo(ttft_s=2.0)), load_catalogue()
    )
    for verdict in everything.verdicts(3):
        assert (verdict.setup is not None) == (verdict.option.kind == "hosted")


def test_the_longest_request_is_the_workloads_and_fits(planned):
    for verdict in planned.verdicts(5):
        assert verdict.setup.longest_request_tokens == 1900
        limits = (verdict.setup.kv_cache_tokens, verdict.setup.model_context_tokens)
        assert all(limit is None or limit >= 1900 for limit in limits)


def test_a_replica_is_never_left_with_more_in_flight_than_it_admits(planned):
    for verdict in planned.verdicts(5):
        assert 0 < verdict.setup.in_flight <= verdict.performance.largest_concurrency


def test_a_smaller_fleet_leaves_more_room(planned):
    row = int(planned.hosted.options.row[planned.ranking.contenders[0].number])
    found = [planned.sizing.most_used_of(row, replicas) for replicas in (1, 2, 4, 8, 16)]
    assert found == sorted(found)
    assert found[0] < found[-1]
    assert all(0 < used <= 1 for used in found)
    alone, eight = (setup_of(planned.grid, planned.sizing, row, n, ()).in_flight for n in (1, 8))
    assert alone <= eight


def test_the_plans_own_hours_are_never_fuller_than_that(planned):
    for contender in planned.ranking.contenders[:20]:
        verdict, row = planned.verdict(contender), int(planned.hosted.options.row[contender.number])
        hours = zip(verdict.capacity.replicas_by_hour, verdict.capacity.utilisation_by_hour, strict=True)
        for replicas, used in set(hours):
            assert used <= planned.sizing.most_used_of(row, replicas) + 1e-4


def test_the_context_that_memory_holds_takes_all_of_its_room(planned):
    row = int(planned.hosted.options.row[planned.ranking.contenders[0].number])
    at = int(planned.speed.rows[row])
    model, room = planned.grid.models[planned.grid.model[at]], planned.speed.memory.room_bytes[at]
    tokens = setup_of(planned.grid, planned.sizing, row, 1, ()).kv_cache_tokens
    assert kv_bytes(model, tokens) <= room < kv_bytes(model, tokens + 2)
    assert math.isfinite(tokens)


def test_weights_are_named_where_the_catalogue_knows_them_and_unknown_otherwise(planned):
    row = int(planned.hosted.options.row[planned.ranking.contenders[0].number])
    known = setup_of(planned.grid, planned.sizing, row, 1, planned.catalogue.tables.repositories)
    assert known.weights is None or "/" in known.weights
    assert setup_of(planned.grid, planned.sizing, row, 1, ()).weights is None
