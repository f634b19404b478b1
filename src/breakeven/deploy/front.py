"""The way in: a Regional REST API that streams from a function, or the endpoint's own OpenAI-compatible path."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import PurePosixPath

from breakeven.deploy.choice import Chosen
from breakeven.deploy.endpoint import COMPONENT_NAME
from breakeven.deploy.text import Node, bare, said
from breakeven.units import MILLISECONDS_PER_SECOND

LONGEST_S = 900
"""Streamed answers of a REST API, and functions, end after 15 minutes (docs.aws.amazon.com, response transfer mode)."""
STEP_S = 10
"""Each part waits so much longer than the one behind it: the one that knows most says what went wrong."""
LEAST_S = 60
ROOM_FOR_LONGER = 4
"""Assumption: the longest answers take so many times what the plan says of its answers."""
RUNTIME = "python3.13"
UNPACKED = PurePosixPath("/", "var", "task")
"""Where Lambda unpacks the code."""
STAGE = "live"
Resources = dict[str, Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """In seconds, each longer than the one before."""

    upstream_s: int
    function_s: int
    gateway_s: int


def timeouts_of(chosen: Chosen) -> Timeouts:
    """How long each part waits: by the plan's response time, within what AWS allows."""
    response = chosen.verdict.performance.response_s
    slowest = (response.high or response.mid) if response else LONGEST_S
    upstream = min(max(math.ceil(slowest * ROOM_FOR_LONGER), LEAST_S), LONGEST_S - 2 * STEP_S)
    return Timeouts(upstream_s=upstream, function_s=upstream + STEP_S, gateway_s=upstream + 2 * STEP_S)


def through_lambda(chosen: Chosen, *, to_zero: bool) -> Resources:
    """API, function, and what lets the one call the other."""
    timeouts = timeouts_of(chosen)
    api: Resources = {
        "Api": {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {
                "Name": {"Ref": "AWS::StackName"},
                "EndpointConfiguration": {"Types": ["REGIONAL"]},
                "ApiKeySourceType": "HEADER",
            },
        },
        "ApiPath": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "{proxy+}",
            },
        },
        "ApiMethod": _method(timeouts),
    }
    deployment = f"ApiDeployment{_digest(api)}"
    return {
        "Function": _function(chosen, timeouts, to_zero=to_zero),
        **api,
        deployment: said(
            {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": ["ApiMethod"],
                "Properties": {"RestApiId": {"Ref": "Api"}},
            },
            "its name changes with the API above, so that an update is published",
        ),
        "ApiStage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": deployment}, "StageName": STAGE},
        },
        "ApiMayCall": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*"
                },
            },
        },
        **_keys(chosen),
    }


def _method(timeouts: Timeouts) -> Node:
    """Every path goes to the function, and what it says is passed on as it comes."""
    uri = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2021-11-15/functions/${Function.Arn}"
        "/response-streaming-invocations"
    )
    return {
        "Type": "AWS::ApiGateway::Method",
        "Properties": {
            "RestApiId": {"Ref": "Api"},
            "ResourceId": {"Ref": "ApiPath"},
            "HttpMethod": "ANY",
            "AuthorizationType": "NONE",
            "ApiKeyRequired": said(True, "callers send x-api-key"),
            "Integration": {
                "Type": "AWS_PROXY",
                "IntegrationHttpMethod": "POST",
                "Uri": {"Fn::Sub": uri},
                "ResponseTransferMode": said("STREAM", "the plan's path streams: the first token is not held back"),
                "TimeoutInMillis": said(
                    timeouts.gateway_s * MILLISECONDS_PER_SECOND, f"{STEP_S} s longer than the function"
                ),
            },
        },
    }


def _function(chosen: Chosen, timeouts: Timeouts, *, to_zero: bool) -> Node:
    """The gateway's own code, as small as the bill has it: it is billed while it waits for the model."""
    config = chosen.plan.policy.lambda_
    environment: dict[str, Node] = {
        "AWS_LAMBDA_EXEC_WRAPPER": said(str(UNPACKED / "bootstrap"), "the loop that streams; Python's own does not"),
        "BREAKEVEN_ENDPOINT": {"Fn::GetAtt": ["Endpoint", "EndpointName"]},
        "BREAKEVEN_MODEL": chosen.verdict.option.model,
        "BREAKEVEN_UPSTREAM_TIMEOUT_S": said(str(timeouts.upstream_s), f"{STEP_S} s shorter than the function's own"),
    }
    if to_zero:
        environment["BREAKEVEN_COMPONENT"] = {"Fn::Sub": COMPONENT_NAME}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
            "Runtime": RUNTIME,
            "Handler": "bootstrap.handler",
            "Architectures": said([config.architecture], "policy.lambda_.architecture"),
            "MemorySize": said(config.memory_mb, "policy.lambda_.memory_mb: each request holds so much while it waits"),
            "Timeout": said(timeouts.function_s, f"the plan's slowest answers, x {ROOM_FOR_LONGER}, and {STEP_S} s"),
            "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": {"Ref": "FunctionLogs"}},
            "Environment": {"Variables": environment},
        },
    }


def _keys(chosen: Chosen) -> Resources:
    """One key, and no more requests than the fleet of the busiest hour has places for."""
    response = chosen.verdict.performance.response_s
    rate = chosen.places / response.mid if response and response.mid else float(chosen.places)
    throttle = {
        "BurstLimit": said(
            chosen.places, "places of the busiest hour: most replicas x performance.largest_concurrency"
        ),
        "RateLimit": said(math.ceil(rate), "places / performance.response_s: what they answer in a second"),
    }
    return {
        "ApiKey": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True}},
        "ApiUsage": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": {
                "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApiStage"}}],
                "Throttle": throttle,
            },
        },
        "ApiKeyUsage": {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Properties": {"KeyId": {"Ref": "ApiKey"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "ApiUsage"}},
        },
    }


def outputs(*, by_lambda: bool) -> Resources:
    """Where a client is pointed."""
    endpoint = {"Description": "The endpoint's name.", "Value": {"Fn::GetAtt": ["Endpoint", "EndpointName"]}}
    if by_lambda:
        url = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/" + STAGE + "/v1"
        return {
            "BaseUrl": {"Description": "base_url of an OpenAI client; send x-api-key.", "Value": {"Fn::Sub": url}},
            "ApiKeyId": {
                "Description": "aws apigateway get-api-key --include-value --api-key ID prints the key.",
                "Value": {"Ref": "ApiKey"},
            },
            "EndpointName": endpoint,
        }
    url = "https://runtime.sagemaker.${AWS::Region}.${AWS::URLSuffix}/endpoints/${Endpoint.EndpointName}/openai/v1"
    return {
        "BaseUrl": {
            "Description": "base_url of an OpenAI client; its key is a bearer token of SageMaker.",
            "Value": {"Fn::Sub": url},
        },
        "CallersPolicy": {"Description": "Attach it to whoever may call.", "Value": {"Ref": "CallersPolicy"}},
        "EndpointName": endpoint,
    }


def _digest(node: Node) -> str:
    return hashlib.sha256(json.dumps(bare(node), sort_keys=True).encode()).hexdigest()[:8]
