"""Plans of the shipped examples, written as `breakeven compare --json` writes them and read as a template does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode.cfn_yaml import loads

from breakeven.cli.plans import plans_of
from breakeven.deploy.choice import PATHS, Chosen, on_sagemaker
from breakeven.deploy.plan import Plan, read_plans
from breakeven.deploy.server import Weights
from breakeven.deploy.stack import Wishes, template
from breakeven.report.document import plan_document, to_json

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = "2026-11-29"
ENDS = "2027-01-31T18:00:00"
ANY = Weights(place="acme/any-weights", quantized=True)
"""For options whose weights the catalogue does not name, in whatever format the plan has."""


@dataclass(frozen=True)
class Planned:
    """A plan with its document."""

    path: Path
    plans: tuple[Plan, ...]

    def best(self, number: int = 0) -> str:
        """The id of one of its deployable options, cheapest first."""
        fit = [v for v in self.plans[0].verdicts if v.option.engine == "vllm" and v.setup]
        ranked = sorted(fit, key=lambda v: (v.bill.usd_per_day, v.option.id))
        return ranked[min(number, len(ranked) - 1)].option.id


@pytest.fixture(scope="session")
def planned(tmp_path_factory) -> Callable[..., Planned]:
    """Plan an example on machines of SageMaker and one serving path; the same plan is made once."""
    made: dict[tuple[Any, ...], Planned] = {}

    def make(example: str, path: str = "direct", **only: Any) -> Planned:
        key = (example, path, str(only))
        if key not in made:
            narrowed = {"paths": [PATHS[path]], "kinds": ["hosted"], **only.pop("only", {})}
            spec = {"as_of": DAY, **only.pop("spec", {})}
            flags = {"": spec, "only": narrowed, **only}
            plan = plans_of(EXAMPLES / f"{example}.yaml", flags)[0]
            file = tmp_path_factory.mktemp("plans") / f"{example}-{path}.json"
            file.write_bytes(to_json((plan_document(plan),)))
            made[key] = Planned(file, read_plans(file))
        return made[key]

    return make


@pytest.fixture(scope="session")
def direct(planned) -> Chosen:
    """An option that is called at the endpoint itself, with machines that follow the hours."""
    found = planned("chat-assistant", "direct", traffic={"requests_per_day": 2_000_000})
    return on_sagemaker(found.plans, found.best())


@pytest.fixture(scope="session")
def by_lambda(planned) -> Chosen:
    """The same behind API and function."""
    found = planned("chat-assistant", "lambda", traffic={"requests_per_day": 2_000_000})
    return on_sagemaker(found.plans, found.best())


def wishes(**given: Any) -> Wishes:
    return Wishes(**({"weights": ANY, "expires_at": ENDS} | given))


def warnings_of(text: str) -> list[str]:
    """What cfn-lint says of a template, its remarks included."""
    found = lint(text, config=ManualArgs(regions=["us-east-1"], include_checks=["I"]))
    return [f"{match.rule.id} {match.message}" for match in found]


@pytest.fixture(scope="session")
def resources_of() -> Callable[..., dict[str, Any]]:
    """The resources of a stack, read from its text as CloudFormation reads it."""

    def read(chosen: Chosen, **given: Any) -> dict[str, Any]:
        return loads(template(chosen, wishes(**given)))["Resources"]

    return read
