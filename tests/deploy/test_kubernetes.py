"""The manifests pass the schemas that Kubernetes publishes, and ask for what the plan assumed."""

import kubernetes_validate
import pytest
import yaml

from breakeven.deploy.choice import on_kubernetes
from breakeven.deploy.kubernetes import METRIC, manifests
from breakeven.deploy.server import Weights
from breakeven.errors import SpecError

from .conftest import ANY

VERSIONS = ["1.33", "1.35", "1.37"]


def written(chosen, **given):
    return list(
        yaml.safe_load_all(manifests(chosen, **{"weights": ANY, "context_tokens": None, "name": "chat"} | given))
    )


def of(documents, kind):
    return next(document for document in documents if document["kind"] == kind)


@pytest.fixture(scope="module")
def chosen(planned):
    found = planned("chat-assistant", "direct", traffic={"requests_per_day": 2_000_000})
    return on_kubernetes(found.plans, found.best())


@pytest.mark.parametrize("version", VERSIONS)
def test_they_pass_the_published_schemas(chosen, version):
    documents = written(chosen)
    assert [d["kind"] for d in documents] == [
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    ]
    for document in documents:
        assert kubernetes_validate.validate(document, version, strict=True).startswith(version)


FAULTS = {
    "a misspelt field": (("spec", "replica"), 3),
    "a number in words": (("spec", "replicas"), "three"),
    "a field of another kind": (("spec", "ports"), []),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(chosen, fault):
    (part, field), value = FAULTS[fault]
    document = of(written(chosen), "Deployment")
    document[part][field] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_a_pod_is_a_replica_of_the_plan(chosen):
    spec = of(written(chosen), "Deployment")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == min(chosen.capacity.replicas_by_hour)
    assert container["resources"]["limits"] == {"nvidia.com/gpu": chosen.tensor_parallel}
    assert f"--max-num-seqs={chosen.concurrency}" in container["args"]
    assert f"--gpu-memory-utilization={chosen.setup.memory_share}" in container["args"]
    assert f"--tensor-parallel-size={chosen.tensor_parallel}" in container["args"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_replicas_follow_requests_in_flight_between_the_plans_ends(chosen):
    spec = of(written(chosen), "HorizontalPodAutoscaler")["spec"]
    hours = chosen.capacity.replicas_by_hour
    assert (spec["minReplicas"], spec["maxReplicas"]) == (min(hours), max(hours))
    (metric,) = spec["metrics"]
    assert metric["pods"]["metric"]["name"] == METRIC == "vllm:num_requests_running"
    assert metric["pods"]["target"]["averageValue"] == f"{round(chosen.setup.in_flight * 1000)}m"


def test_everything_points_at_the_same_pods(chosen):
    documents = written(chosen)
    labels = of(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of(documents, "Service")["spec"]["selector"] == labels
    assert of(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "chat"


def test_weights_in_a_bucket_are_for_sagemaker(chosen):
    with pytest.raises(SpecError, match="--target sagemaker"):
        written(chosen, weights=Weights(place="s3://acme/x/"))


def test_the_text_says_that_it_was_not_run(chosen):
    assert "Not run on a cluster" in manifests(chosen, ANY, None, "chat")
