"""The option that is to be set up: found in the plan, or refused with what could be set up instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from breakeven.deploy.plan import Capacity, Plan, Setup, Verdict
from breakeven.errors import NoDataError, SpecError, UnknownNameError
from breakeven.wording import joined, quoting, worded

Path = Literal["lambda", "direct"]
PATHS: dict[Path, str] = {"lambda": "lambda-rest-stream", "direct": "direct"}
"""Each way in, and the serving path of the plan that it is. Both stream."""
GPU_ENGINE = "vllm"
GPU_GENERATIONS = ("turing", "volta", "ampere", "ampere_c", "ada", "hopper", "blackwell", "blackwell_c")
"""Of NVIDIA: what the images run on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A self-hosted option of a plan with everything that setting it up needs."""

    plan: Plan
    verdict: Verdict
    setup: Setup
    machine: str
    tensor_parallel: int
    per_machine: int
    """Replicas a machine."""
    concurrency: int
    """Requests in flight on each replica, at most."""

    @property
    def capacity(self) -> Capacity:
        """The replicas of every hour."""
        return self.verdict.capacity

    @property
    def least_replicas(self) -> int:
        """Replicas in the quietest hour."""
        return min(self.capacity.replicas_by_hour)

    @property
    def most_replicas(self) -> int:
        """Replicas in the busiest hour."""
        return max(self.capacity.replicas_by_hour)

    @property
    def places(self) -> int:
        """Requests that the whole fleet of the busiest hour has in flight, at most."""
        return self.most_replicas * self.concurrency


def path_of(verdict: Verdict) -> Path | None:
    """The way in that an option of the plan has; ``None`` if it is none that a template sets up."""
    return next((path for path, name in PATHS.items() if name == verdict.option.serving_path), None)


def on_sagemaker(plans: tuple[Plan, ...], name: str, path: Path | None = None) -> Chosen:
    """The option ``name`` as one that runs on SageMaker, by the way in that was asked for.

    Raises:
        UnknownNameError: the document holds no such option.
        SpecError: it is not one of SageMaker, or not by that way in; the nearest that is, is named.
    """
    plan, verdict = _found(plans, name)
    _refuse_others(plan, verdict)
    option = verdict.option
    if option.provider != "aws-sagemaker":
        raise SpecError(
            quoting("{option} runs on {provider}, not on SageMaker", option=option.id, provider=option.provider),
            expected="an option of SageMaker, or `--target kubernetes`",
            do=_instead(plan, verdict, path or "direct"),
        )
    if path_of(verdict) is None or (path and path_of(verdict) != path):
        asked = path or ("lambda" if str(option.serving_path).startswith("lambda") else "direct")
        raise SpecError(
            quoting(
                "{option} is planned and priced on the path {serving_path}",
                option=option.id,
                serving_path=option.serving_path,
            ),
            expected=joined(" or ", PATHS.values())
            if path is None
            else quoting("`--path {path}` is {serving_path}", path=path, serving_path=PATHS[path]),
            do=_instead(plan, verdict, asked),
        )
    return _chosen(plan, verdict)


def on_kubernetes(plans: tuple[Plan, ...], name: str) -> Chosen:
    """The option ``name`` as one that runs on a cluster of one's own.

    Raises:
        UnknownNameError: the document holds no such option.
        SpecError: it is not a model on NVIDIA GPUs under vLLM.
    """
    plan, verdict = _found(plans, name)
    _refuse_others(plan, verdict)
    return _chosen(plan, verdict)


def _found(plans: tuple[Plan, ...], name: str) -> tuple[Plan, Verdict]:
    spelt = {name, *(f"{kind}:{name}" for kind in ("api", "host", "hybrid", "cascade"))}
    every = [(plan, verdict) for plan in plans for verdict in plan.verdicts]
    found = [(plan, verdict) for plan, verdict in every if verdict.option.id in spelt]
    if not found:
        known = [verdict.option.id for _, verdict in every]
        search = f"breakeven compare SPEC --explain {name} --json plan.json"
        raise UnknownNameError("option of the plan", name, known, search=search)
    if len(found) > 1:
        names = ", ".join(plan.workload.name for plan, _ in found)
        raise SpecError(
            quoting("{name} stands in several plans of this file: {names}", name=name, names=names),
            expected="one plan",
            do="Plan a spec with one document",
        )
    return found[0]


def _refuse_others(plan: Plan, verdict: Verdict) -> None:
    """Refuse what is not one model on GPUs of one's own; say what of it could be set up."""
    option = verdict.option
    if option.kind == "api":
        raise SpecError(
            quoting("{option} is a paid API: there is nothing to deploy", option=option.id),
            expected="a self-hosted option (host:...)",
            do=worded("`breakeven gateway --plan` routes to it as it is. {cheapest}", cheapest=_cheapest_hosted(plan)),
        )
    if verdict.hybrid:
        raise SpecError(
            quoting("{option} is a hybrid of own machines and a paid API", option=option.id),
            expected="the machines alone",
            do=quoting(
                "Deploy its base, `--option {base}`{absent}; the gateway sends the overflow to {overflow_to}",
                base=verdict.hybrid.base,
                absent=_if_absent(plan, verdict.hybrid.base),
                overflow_to=verdict.hybrid.overflow_to,
            ),
        )
    if verdict.cascade:
        raise SpecError(
            quoting("{option} is a cascade of two options", option=option.id),
            expected="one self-hosted option",
            do=quoting(
                "Deploy its halves one by one: {first}, {fallback}",
                first=verdict.cascade.first,
                fallback=verdict.cascade.fallback,
            ),
        )
    if verdict.setup is None:
        raise NoDataError(
            quoting("the plan does not say how {option} is set up", option=option.id),
            expected="a plan written by this version",
            do="Write it again with `breakeven compare SPEC --json plan.json`",
        )
    if option.engine != GPU_ENGINE or verdict.setup.generation not in GPU_GENERATIONS or plan.workload.task == "encode":
        raise SpecError(
            quoting(
                "{option} runs on {engine} on {accelerator} (task: {task})",
                option=option.id,
                engine=option.engine,
                accelerator=option.accelerator,
                task=plan.workload.task,
            ),
            expected=quoting(
                "text generation on {engine} on GPUs of NVIDIA, which is what the images carry", engine=GPU_ENGINE
            ),
            do=quoting("Choose such an option: {option}", option=found)
            if (found := _deployable(plan))
            else "Choose such an option",
        )


def _chosen(plan: Plan, verdict: Verdict) -> Chosen:
    option, setup, most = verdict.option, verdict.setup, verdict.performance.largest_concurrency
    if setup is None or option.machine is None or most is None or not verdict.capacity.replicas_by_hour:
        raise NoDataError(
            quoting("the plan does not say how {option} is set up", option=option.id),
            expected="machines and a concurrency",
            do="Plan it again",
        )
    return Chosen(
        plan=plan,
        verdict=verdict,
        setup=setup,
        machine=option.machine,
        tensor_parallel=option.tensor_parallel or 1,
        per_machine=option.replicas_per_machine or 1,
        concurrency=most,
    )


def _instead(plan: Plan, verdict: Verdict, path: Path) -> str:
    """The nearest option that SageMaker can be set up with: this one's twin, the cheapest of its model, or any."""
    option = verdict.option
    machine = str(option.machine)
    if option.provider == "aws-ec2":
        machine = f"ml.{machine}"
    twin = f"host:{option.model}:{option.number_format}:{machine}:tp{option.tensor_parallel}:{PATHS[path]}"
    if any(other.option.id == twin for other in plan.verdicts):
        return quoting("Take `--option {option}`", option=twin)
    if option.provider != "own":
        return quoting("Plan its twin: `breakeven compare SPEC --explain {option} --json plan.json`", option=twin)
    found = _deployable(plan, option.model) or _deployable(plan)
    return (
        quoting("Nearest: {option}", option=found)
        if found
        else "`breakeven compare SPEC --machine 'ml.*' --json plan.json` plans such"
    )


def _deployable(plan: Plan, model: str | None = None) -> str | None:
    """The cheapest option of the plan (of a model) that a template of SageMaker sets up."""
    fit = [verdict for verdict in _hosted(plan) if path_of(verdict) and model in (None, verdict.option.model)]
    return min(fit, key=lambda verdict: verdict.bill.usd_per_day).option.id if fit else None


def _cheapest_hosted(plan: Plan) -> str:
    fit = list(_hosted(plan))
    if not fit:
        return "No self-hosted option stands in this plan"
    cheapest = min(fit, key=lambda verdict: verdict.bill.usd_per_day)
    return quoting("The cheapest of one's own: {option}", option=cheapest.option.id)


def _hosted(plan: Plan) -> Iterator[Verdict]:
    return (v for v in plan.verdicts if v.option.kind == "hosted" and v.option.engine == GPU_ENGINE)


def _if_absent(plan: Plan, name: str) -> str:
    if any(verdict.option.id == name for verdict in plan.verdicts):
        return ""
    return quoting(" (`breakeven compare SPEC --explain {name} --json plan.json` puts it into the plan)", name=name)
