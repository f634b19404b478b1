"""The SageMaker endpoint: the model with its server's settings, the machines, and how long they may take to start."""

import math

from breakeven.deploy.choice import Chosen
from breakeven.deploy.server import BUCKET, Settings
from breakeven.deploy.text import Node, said
from breakeven.units import BYTES_PER_GB, MIB_PER_GIB, SECONDS_PER_HOUR

IMAGE_ACCOUNT = "763104351884"
IMAGE = "vllm:server-sagemaker-cuda-v1"
"""AWS's own image (aws.github.io/deep-learning-containers/vllm); one of the public gallery cannot stand here."""
AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
"""NVIDIA driver 580: CUDA 12.9 and 13, which the image and the newest GPUs need (botocore 1.44, ProductionVariant)."""
OLDER_AMIS = ("al2-ami-sagemaker-inference-gpu-3-1", "al2-ami-sagemaker-inference-gpu-2-1")
VARIANT = "AllTraffic"
STARTUP_S = SECONDS_PER_HOUR
"""Assumption: as long as AWS allows; a large model is loaded for many minutes."""
STORED_PER_WEIGHT_BYTE = 1.5
"""The disk that the bill charges; see `cost.hosting`."""
STORAGE_LINE = "storage (sagemaker)"
COMPONENT_NAME = "${AWS::StackName}-copy"
LEAST_COPY_MIB = MIB_PER_GIB
"""Assumption: memory of the host that a copy asks for; more is there, this only lets it be placed."""


def model(settings: Settings, place: str) -> Node:
    """The container: image, weights, settings."""
    container: dict[str, Node] = {
        "Image": {"Fn::Sub": f"{IMAGE_ACCOUNT}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/{IMAGE}"},
    }
    if place.startswith(BUCKET):
        source = {"S3Uri": place, "S3DataType": "S3Prefix", "CompressionType": "None"}
        container["ModelDataSource"] = said({"S3DataSource": source}, "weights from a bucket: the server finds them")
    container["Environment"] = _environment(settings, place)
    return {
        "Type": "AWS::SageMaker::Model",
        "Properties": {
            "ExecutionRoleArn": {"Fn::GetAtt": ["ServerRole", "Arn"]},
            "PrimaryContainer": container,
            "EnableNetworkIsolation": said(
                place.startswith(BUCKET),
                "weights come through SageMaker: no network"
                if place.startswith(BUCKET)
                else "the server loads its weights from the hub",
            ),
            "VpcConfig": {
                "Fn::If": [
                    "InVpc",
                    {"Subnets": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}},
                    {"Ref": "AWS::NoValue"},
                ]
            },
        },
    }


def _environment(settings: Settings, place: str) -> dict[str, Node]:
    """The server's settings as the image takes them: ``--max-num-seqs`` as ``SM_VLLM_MAX_NUM_SEQS``."""
    found: dict[str, Node] = {} if place.startswith(BUCKET) else {"SM_VLLM_MODEL": {"Ref": "Weights"}}
    for name, value in settings.items():
        key = f"SM_VLLM_{name.upper().replace('-', '_')}"
        found[key] = said(str(value.value), value.why)
    if not place.startswith(BUCKET):
        found["HF_TOKEN"] = {"Fn::If": ["Gated", {"Ref": "HuggingFaceToken"}, {"Ref": "AWS::NoValue"}]}
    return found


def endpoint_config(chosen: Chosen, machines: tuple[int, int], *, to_zero: bool) -> Node:
    """The machines. ``machines``: the fewest and the most."""
    least, most = machines
    variant: dict[str, Node] = {
        "VariantName": VARIANT,
        "InstanceType": said(chosen.machine, "option.machine"),
        "InitialInstanceCount": said(1 if to_zero else max(least, 1), "capacity.replicas_by_hour: the quietest hour"),
        "InferenceAmiVersion": {"Ref": "InferenceAmiVersion"},
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_S,
        "RoutingConfig": said({"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}, "as the plan's queue has it"),
    }
    if to_zero:
        variant["ManagedInstanceScaling"] = said(
            {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": most},
            "machines follow the copies of the model, down to none",
        )
    else:
        variant["ModelName"] = {"Fn::GetAtt": ["Model", "ModelName"]}
        variant["ModelDataDownloadTimeoutInSeconds"] = STARTUP_S
    if any(line.name == STORAGE_LINE for line in chosen.verdict.bill.lines):
        size = math.ceil(chosen.setup.weights_bytes * STORED_PER_WEIGHT_BYTE / BYTES_PER_GB)
        variant["VolumeSizeInGB"] = said(size, f"the weights and half as much again: the line {STORAGE_LINE!r}")
    properties: dict[str, Node] = {"ProductionVariants": [variant]}
    if to_zero:
        properties["ExecutionRoleArn"] = {"Fn::GetAtt": ["ServerRole", "Arn"]}
    return {"Type": "AWS::SageMaker::EndpointConfig", "Properties": properties}


def endpoint() -> Node:
    """The endpoint itself. An update keeps the machines that the autoscaling has set."""
    return {
        "Type": "AWS::SageMaker::Endpoint",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "DependsOn": said(
            ["Removal", "ServerLogs", "ServerPolicy"],
            "the end is set before the first machine starts",
        ),
        "Properties": {
            "EndpointName": {"Ref": "AWS::StackName"},
            "EndpointConfigName": {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]},
            "RetainAllVariantProperties": True,
        },
    }


def component(chosen: Chosen) -> Node:
    """A copy of the model for each replica of the plan, placed by SageMaker: what scales to zero."""
    return {
        "Type": "AWS::SageMaker::InferenceComponent",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "InferenceComponentName": {"Fn::Sub": COMPONENT_NAME},
            "EndpointName": {"Fn::GetAtt": ["Endpoint", "EndpointName"]},
            "VariantName": VARIANT,
            "Specification": {
                "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                "ComputeResourceRequirements": {
                    "NumberOfAcceleratorDevicesRequired": said(chosen.tensor_parallel, "option.tensor_parallel"),
                    "MinMemoryRequiredInMb": LEAST_COPY_MIB,
                },
                "StartupParameters": {
                    "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP_S,
                    "ModelDataDownloadTimeoutInSeconds": STARTUP_S,
                },
            },
            "RuntimeConfig": {"CopyCount": chosen.per_machine},
        },
    }
