from datetime import date

import msgspec
import pytest

from breakeven import Workload
from breakeven.errors import UnknownNameError
from breakeven.options.machines import fleet
from breakeven.options.names import check_names
from breakeven.workload.policy import Only, Policy


@pytest.fixture
def fleet_of(small_catalogue):
    def found(day=date(2026, 6, 1), catalogue=None, **only):
        catalogue = catalogue or small_catalogue
        policy, snapshot = Policy(only=Only(**only)), catalogue.on(day, "us-east-1")
        check_names(catalogue, snapshot, policy)
        return fleet(catalogue, snapshot, policy)

    return found


def test_a_machine_of_four_is_split_into_one_two_and_four_devices_a_replica(fleet_of):
    found = fleet_of(machines=("g5.12xlarge",))
    split = {
        hardware.tensor_parallel: {replicas for _, replicas in carriers}
        for hardware, carriers in zip(found.hardware, found.carriers, strict=True)
    }
    assert split == {1: {4}, 2: {2}, 4: {1}}  # 4 devices = degree x replicas


def test_machines_that_differ_only_in_host_or_price_share_their_hardware(fleet_of):
    found = fleet_of(machines=("g5.xlarge", "ml.g5.xlarge", "g5.metal"))
    assert len(found.hardware) == 1
    assert {found.offers[offer].machine for offer, _ in found.carriers[0]} == {"g5.xlarge", "ml.g5.xlarge", "g5.metal"}


def test_one_device_needs_no_link(fleet_of):
    found = fleet_of(machines=("p5.48xlarge",))
    links = {hardware.tensor_parallel: hardware.interconnect for hardware in found.hardware}
    assert links == {1: "none", 2: "nvlink", 4: "nvlink", 8: "nvlink"}


def test_an_instance_is_rented_as_ec2_and_where_it_may_be_as_a_sagemaker_endpoint(fleet_of):
    assert {(o.machine, o.path.name) for o in fleet_of(machines=("*g5.xlarge",)).offers} == {
        ("g5.xlarge", "ec2"),
        ("ml.g5.xlarge", "direct"),
        ("ml.g5.xlarge", "lambda-http"),
        ("ml.g5.xlarge", "lambda-rest-stream"),
    }
    assert {o.machine for o in fleet_of(machines=("*g5.metal",)).offers} == {"g5.metal"}


def test_each_term_with_a_price_is_an_offer_of_its_own(fleet_of):
    offers = fleet_of(machines=("g5.xlarge",)).offers
    assert {(o.term, str(o.price.usd_per_hour)) for o in offers} == {("on-demand", "1.006"), ("reserved-1y", "0.634")}


def test_the_price_is_the_one_of_the_day(fleet_of):
    prices = {
        day: [str(o.price.usd_per_hour) for o in fleet_of(day=day, machines=("p5.48xlarge",)).offers]
        for day in (date(2023, 7, 26), date(2025, 5, 31), date(2025, 6, 1))
    }
    assert list(prices.values()) == [["98.32"], ["98.32"], ["55.04"]]


def test_a_machine_without_a_price_that_day_is_an_offer_without_a_price_never_a_free_one(fleet_of):
    (offer,) = fleet_of(day=date(2023, 7, 25), machines=("p5.48xlarge",)).offers
    assert offer.price is None


@pytest.mark.parametrize("only", [{"machines": ("g5.xlage",)}, {"paths": ("lamda-http",)}])
def test_a_machine_or_path_that_nobody_knows_is_refused_with_near_matches(fleet_of, only):
    with pytest.raises(UnknownNameError, match="Did you mean"):
        fleet_of(**only)


def test_the_memory_of_a_device_is_its_share_of_the_instances_where_that_was_read(fleet_of, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, accelerator_memory_gib_total=89.4) if row.name == "g5.12xlarge" else row
        for row in small_catalogue.tables.instances
    )
    found = fleet_of(catalogue=with_rows(instances=rows), machines=("g5.12xlarge",))
    assert {hardware.memory_gib_per_device for hardware in found.hardware} == {89.4 / 4}


def test_an_accelerator_whose_memory_nobody_read_is_a_gap_not_a_device_of_zero_bytes(
    plan_small, with_rows, small_catalogue
):
    rows = tuple(
        msgspec.structs.replace(row, memory_gib=None) if row.name == "T4" else row
        for row in small_catalogue.tables.accelerators
    )
    answer = plan_small(
        Workload.of(requests_per_day=1000, input_tokens=100, output_tokens=10),
        catalogue=with_rows(accelerators=rows),
        models=("llama-8b",),
        kinds=("hosted",),
        machines=("g4dn.xlarge", "g5.xlarge"),
    )
    gaps = {r.because: r.examples for r in answer.rejected}
    assert any("T4" in example for example in gaps.get("datasheet figure not known", ()))
