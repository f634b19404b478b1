import tomllib
from importlib import resources

import pytest

from breakeven.performance.calibration import parameters_of, typical_parameters
from breakeven.performance.hardware import measured_models
from breakeven.performance.kinds import measured_as
from breakeven.performance.measured import shipped_measurements


@pytest.fixture
def tables():
    text = resources.files("breakeven.performance").joinpath("parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def test_every_single_value_says_where_it_comes_from(tables):
    single = {name: row for name, row in tables.items() if isinstance(row, dict) and "value" in row}
    assert single
    assert all(row["evidence"] for row in single.values())
    assert all(row["evidence"] for row in tables["overheads"].values())


def test_a_missing_table_is_an_error_that_names_it(tables):
    del tables["exponent"]
    with pytest.raises(KeyError, match="exponent"):
        parameters_of(tables)


def test_shares_are_shares():
    p = typical_parameters()
    shares = [*p.bandwidth_share.values(), *p.flops_share.values()]
    shares += [p.kv_bandwidth_share, p.expert_bandwidth_share, p.link_share, p.usable_memory_share]
    assert all(0 < share <= 1 for share in shares)
    assert 0 < p.largest_prefill_load < 1
    assert p.exponent >= 1


def test_there_is_a_share_for_every_generation_that_an_engine_runs_on_and_a_hop_for_every_link(shipped):
    p = typical_parameters()
    generations = {generation for engine in shipped.tables.engines for generation in engine.generations}
    assert generations <= set(p.bandwidth_share)
    assert set(p.bandwidth_share) == set(p.flops_share)
    assert {row.interconnect for row in shipped.instances.values()} <= set(p.hop_s)


def test_there_are_overheads_for_every_shipped_engine(shipped):
    assert {engine.overheads for engine in shipped.tables.engines} <= set(typical_parameters().overheads)


def test_models_of_the_same_dimensions_are_as_fast_as_the_one_that_was_measured(shipped):
    apart = {"source", "name", "family", "released", "released_source", "licence", "licence_source", "weights_public"}
    apart |= {"max_context", "native_format", "note"}
    models = measured_models(shipped)
    measured = {model.name for model in shipped_measurements(shipped).runs.kinds.models}

    def dimensions(name):
        return tuple(getattr(models[name], f) for f in models[name].__struct_fields__ if f not in apart)

    by_dimensions = {dimensions(name): name for name in measured}
    assert len(by_dimensions) == len(measured)
    wanted = {name: by_dimensions.get(dimensions(name), name) for name in models if name not in measured}
    assert {name: measured_as(name) for name in wanted} == wanted
    assert {measured_as(name) for name in measured} == measured
