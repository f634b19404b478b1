"""An address is a spec: there and back, with what is like the start left out, and nothing half-read."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import BreakevenError, SpecError, UnknownNameError
from breakeven.ui.address import FIELDS, START, query_of, spec_of
from breakeven.ui.scenario import Scenario, scenario_of, slidable
from breakeven.workload.policy import Only
from breakeven.workload.profile import Slo
from breakeven.workload.spec import HostingSpec, ShapeSpec, Spec, TokensSpec, TrafficSpec, read_specs

EXAMPLES = Path(__file__).parents[2] / "examples"

positive = st.floats(1e-3, 1e9)
names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20)
listed = st.lists(names, max_size=3).map(tuple)
profiles = st.one_of(st.none(), st.just("flat"), names, st.lists(st.floats(0.1, 9.0), min_size=24, max_size=24))
traffics = st.one_of(
    st.builds(TrafficSpec, requests_per_day=positive, profile=profiles),
    st.builds(TrafficSpec, requests_per_hour=st.lists(st.floats(0.1, 1e5), min_size=24, max_size=24)),
)
tokens = st.one_of(
    st.builds(TokensSpec, input=st.floats(1.0, 1e5), output=st.floats(0.0, 1e4)),
    st.builds(TokensSpec, words_per_request=positive, output_share=st.floats(0.0, 1.0)),
    st.just(TokensSpec(shapes=[ShapeSpec(share=0.25, input=10.0), ShapeSpec(share=0.75, input=3.0, output=0.5)])),
)
specs = st.builds(
    Spec,
    name=names,
    traffic=traffics,
    tokens=tokens,
    latency=st.builds(Slo, ttft_s=st.none() | positive, tpot_s=st.none() | positive, quantile=st.floats(0.5, 0.99)),
    deferrable=st.booleans(),
    at_least=st.one_of(st.none(), names, st.floats(-1e4, 1e4)),
    scores=st.dictionaries(names, st.floats(-1e3, 1e3), max_size=2),
    as_of=st.none() | st.dates(),
    region=names,
    only=st.builds(Only, models=listed, providers=listed, kinds=st.sampled_from([(), ("api",), ("api", "hosted")])),
    hosting=st.builds(HostingSpec, min_replicas=st.integers(1, 9), scaling=st.sampled_from(["hourly", "fixed"])),
)


@given(specs)
def test_a_spec_comes_back_from_its_address_as_it_was(spec):
    text = urlencode(query_of(spec))
    assert spec_of(parse_qsl(text, keep_blank_values=True)) == spec


@given(specs, st.sampled_from(["model", "machine", "option"]), st.sampled_from([None, "en", "zh"]))
def test_a_scenario_comes_back_from_its_address_as_it_was(spec, by, lang):
    scenario = Scenario(spec=slidable(spec), by=by, lang=lang).kept()
    assert scenario_of(scenario.query) == scenario
    assert scenario_of(scenario.beside).spec == scenario.spec


def test_what_is_like_the_start_is_left_out():
    assert Scenario().query == ""
    assert scenario_of("") == Scenario()
    assert query_of(msgspec.structs.replace(START, region="eu-west-1")) == [("region", "eu-west-1")]


@pytest.mark.parametrize("path", ["chat-assistant.yaml", "nightly-batch.yaml", "article-2023.yaml"])
def test_the_examples_fit_into_an_address(path):
    for spec in read_specs(EXAMPLES / path):
        query = urlencode(query_of(spec))
        assert spec_of(parse_qsl(query, keep_blank_values=True)) == spec
        assert len(query) < 4000


def test_an_empty_value_takes_back_what_the_start_gives():
    assert spec_of([("latency.ttft_s", ""), ("at_least", " ")]) == msgspec.structs.replace(
        START, latency=Slo(tpot_s=0.1), at_least=None
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("traffic.requests_per_day=many", "traffic.requests_per_day"),
        ("traffic.requests_per_day=-5", "traffic.requests_per_day"),
        ("latency.quantile=1.5", "latency.quantile"),
        ("tokens.shapes=[{", "tokens.shapes"),
        ("tokens.shapes=[]", "shapes"),
        ("region=a&region=b", "given twice"),
        ("by=colour", "by is colour"),
        ("lang=xx", "lang is xx"),
        ("traffic.requests_per_day=nan", "traffic.requests_per_day"),
        ("name=" + "x" * 70_000, "characters"),
        ("&".join(f"a{n}=1" for n in range(300)), "cannot be read"),
    ],
)
def test_a_bad_value_gets_one_clear_message(query, told):
    with pytest.raises(BreakevenError, match="Expected: ") as wrong:
        scenario_of(query)
    assert told in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_field_that_is_not_there_is_told_with_what_it_may_have_meant():
    with pytest.raises(UnknownNameError) as wrong:
        spec_of([("trafic.requests_per_day", "5")])
    assert "traffic.requests_per_day" in wrong.value.near


@pytest.mark.parametrize(
    ("name", "value"), [("overlay", "/etc/passwd"), ("quality", '{"evaluations": ["/etc/passwd"], "floor": 0.9}')]
)
def test_an_address_cannot_make_the_server_read_a_file(name, value):
    with pytest.raises(SpecError, match="of the machine that plans"):
        spec_of([(name, value)])


def test_every_field_of_the_spec_has_a_name_in_the_address():
    assert {"name", "traffic.burstiness", "hosting.lambda.memory_mb", "only.terms", "people"} <= FIELDS.keys()
    assert all(hasattr(Spec, name.split(".")[0]) for name in FIELDS)


def test_hours_become_a_volume_and_a_profile_of_the_same_workload():
    hours = [10.0] * 100 + [50.0] * 68
    before = Spec(traffic=TrafficSpec(requests_per_hour=hours), tokens=TokensSpec(input=10.0, output=5.0))
    after = slidable(before)
    assert after.traffic.requests_per_hour is None
    assert after.workload({}).requests_per_hour == pytest.approx(before.workload({}).requests_per_hour)
