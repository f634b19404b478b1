"""The same option on a cluster of one's own: a Deployment with vLLM, a Service, an autoscaler, a disruption budget."""

import math

from breakeven.deploy.choice import Chosen
from breakeven.deploy.scaling import IN_S
from breakeven.deploy.server import BUCKET, Settings, Weights, place_of, settings
from breakeven.deploy.text import Node, said, to_yaml
from breakeven.errors import SpecError

IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v1"
"""AWS's public build of vLLM, the one that its SageMaker image is made from."""
PORT = 8000
METRIC = "vllm:num_requests_running"
PROBE_S = 10
STARTUP_PROBES = 360
"""An hour to load the weights, as on SageMaker."""
LEAST_GRACE_S = 60
Document = dict[str, Node]


def manifests(chosen: Chosen, weights: Weights, context_tokens: int | None, name: str) -> str:
    """The documents as YAML, one after the other."""
    place = place_of(chosen, weights)
    if place.startswith(BUCKET):
        raise SpecError(
            f"--weights {place} is a bucket",
            expected="a repository on the Hugging Face hub, or a path inside the container",
            do="Mount the weights and give their path, or use `--target sagemaker`",
        )
    found = settings(chosen, weights, context_tokens)
    documents = [deployment(chosen, found, place, name), service(name), disruption(name)]
    if chosen.least_replicas < chosen.most_replicas:
        documents.insert(2, autoscaler(chosen, name))
    plan = chosen.plan
    heading = (
        f"{chosen.verdict.option.id}\n"
        f"Written by `breakeven template --target kubernetes` from the plan of {plan.as_of} for "
        f"{plan.workload.name!r}, catalogue {plan.catalogue_digest}.\n"
        "Checked against the schemas of Kubernetes. Not run on a cluster.\n"
        "Names in comments are fields of the plan's document."
    )
    first, *others = (to_yaml(document, heading if not n else "") for n, document in enumerate(documents))
    return "---\n".join([first, *others])


def deployment(chosen: Chosen, server: Settings, place: str, name: str) -> Document:
    """One pod a replica: as many GPUs as the plan shards it over."""
    spec: Document = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": said(
            _grace_s(chosen), "performance.response_s: answers under way are finished"
        ),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(chosen, server, place)],
        "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}],
    }
    if chosen.verdict.option.provider != "own":
        machine = chosen.machine.removeprefix("ml.")
        spec["nodeSelector"] = {"node.kubernetes.io/instance-type": said(machine, "option.machine")}
    spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name),
        "spec": {
            "replicas": said(chosen.least_replicas, "capacity.replicas_by_hour, its fewest"),
            "selector": {"matchLabels": _labels(name)},
            "template": {"metadata": {"labels": _labels(name)}, "spec": spec},
        },
    }


def _container(chosen: Chosen, server: Settings, place: str) -> Document:
    probe = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": PROBE_S}
    arguments: list[Node] = [f"--model={place}", "--host=0.0.0.0", f"--port={PORT}"]
    arguments += [said(f"--{name}={value.value}", value.why) for name, value in server.items()]
    return {
        "name": "vllm",
        "image": IMAGE,
        "args": arguments,
        "env": [
            {
                "name": "HF_TOKEN",
                "valueFrom": {"secretKeyRef": {"name": "hugging-face", "key": "token", "optional": True}},
            }
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": {"limits": {"nvidia.com/gpu": said(chosen.tensor_parallel, "option.tensor_parallel")}},
        "startupProbe": said({**probe, "failureThreshold": STARTUP_PROBES}, "an hour to load the weights"),
        "readinessProbe": {**probe, "failureThreshold": 3},
        "livenessProbe": {**probe, "failureThreshold": 6},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    }


def service(name: str) -> Document:
    """One address before all replicas."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name),
        "spec": {"selector": _labels(name), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def autoscaler(chosen: Chosen, name: str) -> Document:
    """Replicas by requests in flight. The metric reaches the autoscaler through an adapter (Prometheus's, for one)."""
    value = said(
        f"{round(chosen.setup.in_flight * 1000)}m", "setup.in_flight, in thousandths: above, the plan adds one"
    )
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": METRIC}, "target": {"type": "AverageValue", "averageValue": value}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": said(chosen.least_replicas, "capacity.replicas_by_hour, its fewest"),
            "maxReplicas": said(chosen.most_replicas, "capacity.replicas_by_hour, its most"),
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": IN_S}},
        },
    }


def disruption(name: str) -> Document:
    """Maintenance takes one replica at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels(name)}},
    }


def _grace_s(chosen: Chosen) -> int:
    response = chosen.verdict.performance.response_s
    return max(math.ceil((response.high or response.mid) if response else LEAST_GRACE_S), LEAST_GRACE_S)


def _labels(name: str) -> dict[str, Node]:
    return {"app.kubernetes.io/name": "vllm", "app.kubernetes.io/instance": name}


def _metadata(name: str) -> dict[str, Node]:
    return {"name": name, "labels": {**_labels(name), "app.kubernetes.io/managed-by": "breakeven"}}
