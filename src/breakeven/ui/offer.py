"""Which option of SageMaker a page offers to set up, and the address of its CloudFormation document."""

from urllib.parse import urlencode

from breakeven.deploy.choice import PATHS
from breakeven.planner.verdict import Option
from breakeven.ui.answers import Answer
from breakeven.ui.scenario import Scenario


def on_sagemaker_id(option: Option) -> str | None:
    """The id by which an option is set up on SageMaker: its own, or that of its twin there; ``None``: it has none."""
    if option.kind != "hosted":
        return None
    if option.provider == "aws-sagemaker" and option.serving_path in PATHS.values():
        return option.id
    if option.provider not in ("aws-ec2", "aws-sagemaker"):
        return None
    machine = f"ml.{str(option.machine).removeprefix('ml.')}"
    return f"host:{option.model}:{option.number_format}:{machine}:tp{option.tensor_parallel}:{PATHS['direct']}"


def offered(found: Answer) -> str:
    """The option that the page offers first: that of the cheapest self-hosting shown that SageMaker has, if any."""
    rows = (row.verdict.option for group in found.section.groups for row in group.rows)
    return next((one for option in rows if (one := on_sagemaker_id(option))), "")


def stack_query(option: str, scenario: Scenario) -> str:
    """The query of the address at which an option's document lies."""
    return urlencode({"option": option}) + (f"&{scenario.query}" if scenario.query else "")
