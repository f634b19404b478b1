from pathlib import Path

import pytest

from breakeven.catalogue.overlay import Overlay, with_overlay
from breakeven.gateway.config import read_config
from breakeven.gateway.rules import rules_of
from breakeven.options.names import model_names
from breakeven.workload.evaluations import read_evaluations
from breakeven.workload.spec import Spec, read_specs
from breakeven.yamlfile import read_yaml

EXAMPLES = Path(__file__).parent.parent / "examples"
OVERLAYS = sorted(EXAMPLES.glob("*.overlay.yaml"))
GATEWAYS = sorted(EXAMPLES.glob("*.gateway.yaml"))
SPECS = sorted(set(EXAMPLES.glob("*.yaml")) - set(OVERLAYS) - set(GATEWAYS))


def by_name(path: Path) -> str:
    return path.stem


def test_everything_in_examples_is_a_spec_an_overlay_a_gateway_or_a_log():
    others = [EXAMPLES / "usage.jsonl", EXAMPLES / "support-tickets.evaluation.json"]
    assert sorted([*SPECS, *OVERLAYS, *GATEWAYS, *others]) == sorted(EXAMPLES.iterdir())
    assert SPECS
    assert OVERLAYS


@pytest.mark.parametrize("path", GATEWAYS, ids=by_name)
def test_an_example_is_a_gateway_whose_apis_have_prices(path, shipped):
    rules = rules_of(read_config(path), with_keys=False)
    sold = {offer.key for offer in shipped.tables.api_offers}
    assert all((one.provider, one.model) in sold for one in rules.targets if one.provider)


@pytest.mark.parametrize("path", SPECS, ids=by_name)
def test_an_example_is_a_workload(path, shipped):
    profiles = {name: row.weights for name, row in shipped.profiles.items()}
    for spec in read_specs(path):
        assert isinstance(spec, Spec)
        found = spec.workload(profiles)
        assert found.requests_per_day > 0
        assert found.mix.mean.input > 0
        assert spec.policy().region == spec.region


@pytest.mark.parametrize("path", SPECS, ids=by_name)
def test_an_example_says_everything_so_that_nothing_about_its_traffic_is_assumed(path, shipped):
    profiles = {name: row.weights for name, row in shipped.profiles.items()}
    for spec in read_specs(path):
        assert not [line for line in spec.workload(profiles).assumptions if "not given" in line or "no hourly" in line]


@pytest.mark.parametrize("path", SPECS, ids=by_name)
def test_the_documents_of_an_example_have_names_of_their_own(path):
    names = [spec.name for spec in read_specs(path)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", SPECS, ids=by_name)
def test_the_overlay_that_an_example_names_lies_beside_it(path):
    for spec in read_specs(path):
        assert spec.overlay is None or path.parent / spec.overlay in OVERLAYS


@pytest.mark.parametrize("path", SPECS, ids=by_name)
def test_the_evaluations_that_an_example_names_lie_beside_it_and_read(path, shipped):
    for spec in read_specs(path):
        wanted = spec.quality.evaluations if spec.quality else []
        found = read_evaluations(wanted, lambda name: path.parent / name, model_names(shipped), {})
        assert len(found) == len(wanted)


@pytest.mark.parametrize("path", OVERLAYS, ids=by_name)
def test_an_example_overlay_reads_and_lies_over_the_catalogue_that_ships(path, shipped):
    (overlay,) = read_yaml(path, Overlay)
    found = with_overlay(shipped, path)
    assert {machine.name for machine in overlay.machines} <= found.instances.keys()


@pytest.mark.parametrize("path", [*SPECS, *OVERLAYS], ids=by_name)
def test_an_example_says_in_its_first_line_what_it_is(path):
    assert path.read_text(encoding="utf-8").startswith("# ")
