"""The whole path with the real function and a real model: answers, streams, hang-ups, and each part stopped."""

import json
import os
import signal
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from openai import OpenAI
from tests.standins.running import MODEL, PATIENCE_S, asked, post, until, whole_stack

from breakeven.cli.up import functions
from breakeven.standins.stack import BUFFERED, ENDPOINT, STREAMED

CHAT = "/chat/completions"


@pytest.fixture(scope="module")
def stack():
    with whole_stack() as one:
        yield one


def key(stack):
    return {"x-api-key": stack.key}


def bases(stack):
    return {"rest": stack.rest_url, "buffered": stack.rest_buffered_url, "http": stack.http_url}


@pytest.mark.parametrize("api", ["rest", "buffered", "http"])
def test_a_question_gets_the_models_own_answer_through_each_api(stack, api):
    got = post(bases(stack)[api] + CHAT, asked(), key(stack))
    assert got.status == 200
    assert got.json["choices"][0]["message"]["content"]
    assert got.json["usage"]["completion_tokens"] == 4


def test_a_stream_comes_token_by_token_through_the_rest_api_and_at_once_through_the_others(stack):
    streamed = post(stack.rest_url + CHAT, asked(stream=True, tokens=6), key(stack))
    assert streamed.status == 200
    assert streamed.headers["content-type"] == "text/event-stream"
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert streamed.pieces >= 4
    whole = post(stack.http_url + CHAT, asked(stream=True, tokens=6))
    assert whole.pieces == 1
    assert whole.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("api", ["rest", "buffered", "http"])
def test_the_openai_client_lists_models_and_streams_an_answer(stack, api):
    client = OpenAI(base_url=bases(stack)[api], api_key="none", default_headers=key(stack), max_retries=0)
    assert [one.id for one in client.models.list()] == [MODEL]
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=4, stream=True
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_the_container_keeps_its_contract(stack):
    url = stack.part("container").urls["container"]
    with urllib.request.urlopen(f"{url}/ping", timeout=PATIENCE_S) as ping:
        assert ping.status == 200
    for path in ("/invocations", "/openai/v1/chat/completions"):
        assert post(url + path, asked()).json["usage"]["completion_tokens"] == 4
    assert post(f"{url}/invocations", b"not json").status == 400


def test_awss_own_client_of_sagemaker_is_answered(stack):
    client = boto3.client(
        "sagemaker-runtime", endpoint_url=stack.part("sagemaker").urls["sagemaker"], region_name="eu-central-1",
        aws_access_key_id="x", aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    ask = {"EndpointName": ENDPOINT, "ContentType": "application/json"}
    whole = client.invoke_endpoint(Body=json.dumps(asked()), **ask)
    assert json.loads(whole["Body"].read())["usage"]["completion_tokens"] == 4
    parts = client.invoke_endpoint_with_response_stream(Body=json.dumps(asked(stream=True)), **ask)["Body"]
    assert b"".join(part["PayloadPart"]["Bytes"] for part in parts).endswith(b"data: [DONE]\n\n")
    with pytest.raises(client.exceptions.ModelError) as wrong:
        client.invoke_endpoint(Body=b"not json", **ask)
    assert wrong.value.response["OriginalStatusCode"] == 400


def test_each_request_leaves_one_log_line_of_the_function_and_it_holds_no_prompt(stack):
    told = "xylophone-4711"
    before = len(records(stack))
    for url in (stack.rest_url, stack.http_url):
        assert post(url + CHAT, asked(content=f"Repeat: {told}", tokens=8), key(stack)).status == 200
    until(lambda: len(records(stack)) == before + 2)
    record = records(stack)[-1]
    assert (record["model"], record["status"], record["outcome"]) == (MODEL, 200, "complete")
    assert record["output_tokens"] == 8
    assert not any(told in line for line in stack.said)


def records(stack):
    lines = (line.partition(": ")[2] for line in list(stack.said))
    return [json.loads(line)["record"] for line in lines if line.startswith("{") and '"record"' in line]


def test_an_unknown_model_is_the_gateways_own_404(stack):
    got = post(stack.rest_url + CHAT, asked() | {"model": "nope"}, key(stack))
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")


def test_parts_that_are_stopped_from_the_back_to_the_front_give_what_aws_would_give():
    with whole_stack() as stack:
        assert post(stack.rest_url + CHAT, asked(), key(stack)).status == 200
        seen = {}
        for name, pid in [("model", stack.model.pid), *((part.name, part.pid) for part in stack.parts[:-1])]:
            os.kill(pid, signal.SIGKILL)
            until(lambda gone=name: gone in dict(stack.ended()))
            seen[name] = [post(url + CHAT, asked(), key(stack)).status for url in bases(stack).values()]
        assert seen["model"] == [502, 502, 502]
        assert seen["container"] == [503, 503, 503]
        assert seen["sagemaker"][0] == 502
        assert seen["functions"] == [500, 500, 500]
        assert [name for name, _ in stack.ended()] == ["model", "container", "sagemaker", "functions"]


def killed_while(stack, url, stream, victim):
    """A long answer whose way is cut when its function works on it."""
    found = []
    body = asked(stream=stream, tokens=400, ignore_eos=True)
    until(lambda: busy_slots(stack) == 0)
    thread = threading.Thread(target=lambda: found.append(post(url + CHAT, body, key(stack))))
    thread.start()
    until(lambda: busy_slots(stack) == 1)
    time.sleep(1)
    os.kill(victim(), signal.SIGKILL)
    thread.join(PATIENCE_S)
    return found[0]


def function_pid(stack, words):
    service = stack.part("functions").pid
    children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
    return next(int(pid) for pid in children if words in Path(f"/proc/{pid}/cmdline").read_text())


def busy_slots(stack):
    with urllib.request.urlopen(stack.model.base_url.removesuffix("/v1") + "/slots", timeout=PATIENCE_S) as reply:
        return sum(slot["is_processing"] for slot in json.load(reply))


def test_a_function_killed_at_work_is_502_or_a_cut_stream_and_the_next_request_has_a_new_one():
    with whole_stack(functions=functions(environments=1)) as stack:
        post(stack.rest_url + CHAT, asked(), key(stack))
        cut = killed_while(stack, stack.rest_url, True, lambda: function_pid(stack, "breakeven.function"))
        assert (cut.status, cut.cut) == (200, True)
        assert b"[DONE]" not in cut.body
        post(stack.http_url + CHAT, asked())
        for url, status in ((stack.rest_buffered_url, 502), (stack.http_url, 500)):
            got = killed_while(stack, url, False, lambda: function_pid(stack, "awslambdaric"))
            assert got.status == status
            assert post(url + CHAT, asked(), key(stack)).status == 200


def test_a_model_that_dies_in_the_middle_of_a_stream_is_told_in_the_stream_and_to_lambda():
    with whole_stack() as stack:
        post(stack.rest_url + CHAT, asked(), key(stack))
        cut = killed_while(stack, stack.rest_url, True, lambda: stack.model.pid)
        assert (cut.status, cut.cut) == (200, True)
        assert b'"error"' in cut.body
        until(lambda: any("Gateway.AnswerBroken" in line for line in stack.said))


def test_the_names_of_the_functions_are_those_of_the_stack():
    assert [function.name for function in functions()] == [STREAMED, BUFFERED]
