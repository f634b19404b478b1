"""API Gateway and Lambda as stand-ins around functions under AWS's own runtime client: faults are told as AWS does."""

import http.client
import json
import threading
import time

import boto3
import pytest
from botocore.config import Config
from tests.standins.running import apis, post

from breakeven.standins.limits import Limits

FAST = Limits(http_s=1.0, rest_s=1.5, idle_s=1.0)


def chunks(*pieces, **more):
    return {"pieces": list(pieces), **more}


def test_a_request_reaches_the_function_as_payload_2_0_and_1_0():
    with apis("handlers.echo") as run:
        new = post(f"{run.http}/a/b?x=1&x=2", {"n": 1}).json["event"]
        old = post(f"{run.rest}/buffered/a/b?x=1&x=2", {"n": 1}).json["event"]
    assert (new["version"], new["rawPath"], new["body"]) == ("2.0", "/a/b", '{"n": 1}')
    assert (old["httpMethod"], old["path"], old["requestContext"]["stage"]) == ("POST", "/a/b", "buffered")
    assert old["requestContext"]["path"] == "/buffered/a/b"
    assert new["headers"]["content-type"] == old["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize("handler", ["garbage", "without_status", "raises", "leaves"])
def test_a_function_that_fails_or_answers_garbage_is_500_of_an_http_api_and_502_of_a_rest_api(handler):
    with apis(f"handlers.{handler}") as run:
        new, old = post(f"{run.http}/", {}), post(f"{run.rest}/buffered/", {})
        streamed = post(f"{run.rest}/live/", {})
    assert (new.status, new.json) == (500, {"message": "Internal Server Error"})
    assert (old.status, old.json) == (502, {"message": "Internal server error"})
    assert streamed.status == 502


def test_a_function_that_cannot_start_is_told_with_its_own_words_and_costs_502():
    with apis("no_start.handler") as run:
        assert post(f"{run.rest}/buffered/", {}).status == 502
        assert post(f"{run.http}/", {}).status == 500
    assert any("INIT failed" in line and "no database" in line for line in run.said)


def test_a_start_that_takes_too_long_is_tried_again_within_the_request_and_in_its_time():
    short = Limits(init_s=0.2)
    with apis("slow_start.handler", limits=short, variables={"START_S": "1"}) as run:
        assert post(f"{run.rest}/buffered/", {}).body == b"started"
    assert any("INIT_REPORT" in line and "Status: timeout" in line for line in run.said)
    with apis("slow_start.handler", limits=short, timeout_s=1.0, variables={"START_S": "20"}) as run:
        assert post(f"{run.rest}/buffered/", {}).status == 502
    assert any("INIT failed: Sandbox.Timedout" in line for line in run.said)


def test_what_a_second_start_took_is_no_longer_there_for_the_request():
    slow = {"limits": Limits(init_s=0.2), "timeout_s": 6.0, "variables": {"START_S": "2"}}
    with apis("slow_start.handler", **slow) as run:
        assert post(f"{run.rest}/buffered/", {"wait_s": 4.5}).status == 502
    with apis("slow_start.handler", **slow) as run:
        assert [post(f"{run.rest}/buffered/", {"wait_s": wait_s}).status for wait_s in (0, 4.5)] == [200, 200]


def test_a_function_that_takes_too_long_is_503_of_an_http_api_and_504_of_a_rest_api():
    with apis("handlers.slow", limits=FAST, environments=4) as run:
        new, old = post(f"{run.http}/", {"wait_s": 4}), post(f"{run.rest}/buffered/", {"wait_s": 4})
    assert (new.status, new.json) == (503, {"message": "Service Unavailable"})
    assert (old.status, old.json) == (504, {"message": "Endpoint request timed out"})


def test_a_function_over_its_own_time_is_ended_and_the_next_request_gets_a_new_one():
    with apis("handlers.slow", timeout_s=1.0, environments=1) as run:
        assert post(f"{run.rest}/buffered/", {"wait_s": 30}).status == 502
        assert post(f"{run.rest}/buffered/", {"wait_s": 0}).body == b"late"
    assert any("Sandbox.Timedout" in line for line in run.said)


def test_what_is_too_large_is_refused_at_each_limit():
    limits = Limits(gateway_bytes=200_000, function_bytes=100_000)
    with apis("handlers.large", limits=limits) as run:
        for base in (run.http, f"{run.rest}/buffered", f"{run.rest}/live"):
            assert post(f"{base}/", b"x" * 200_001).status == 413
            assert post(f"{base}/", {"pad": "x" * 150_000}).status == 413
        assert post(f"{run.http}/", {"size": 120_000}).status == 500
        assert post(f"{run.rest}/buffered/", {"size": 120_000}).status == 502
        assert len(post(f"{run.rest}/buffered/", {"size": 90_000}).body) == 90_000


def test_headers_over_ten_kilobytes_are_431_and_a_wrong_key_403():
    with apis("handlers.echo") as run:
        assert post(f"{run.http}/", {}, {"x-pad": "x" * 10_300}).status == 431
        assert post(f"{run.rest}/buffered/", {}, {"x-pad": "x" * 10_300}).status == 431
        wrong = post(f"{run.rest}/live/", {}, {"x-api-key": "no"})
        assert (wrong.status, wrong.json) == (403, {"message": "Forbidden"})
        assert post(f"{run.rest}/nowhere/", {}).status == 403


def test_more_requests_than_environments_are_turned_away_by_lambda_which_is_500():
    with apis("handlers.slow", environments=1) as run:
        post(f"{run.rest}/buffered/", {"wait_s": 0})
        first = threading.Thread(target=post, args=(f"{run.rest}/buffered/", {"wait_s": 2}))
        first.start()
        time.sleep(0.5)
        assert post(f"{run.rest}/buffered/", {"wait_s": 0}).status == 500
        first.join()


def test_a_stream_begins_with_its_status_and_comes_in_pieces():
    with apis(script="streaming_loop.py") as run:
        got = post(f"{run.rest}/live/", chunks("one", 0.3, "two", 0.3, "three"))
    assert (got.status, got.body, got.cut) == (201, b"onetwothree", False)
    assert got.pieces == 3
    assert got.headers["content-type"] == "text/plain"


def test_a_stream_without_a_prelude_is_502():
    with apis(script="streaming_loop.py") as run:
        assert post(f"{run.rest}/live/", chunks("hello", prelude=False)).status == 502
        assert post(f"{run.rest}/live/", chunks("x" * 20_000, prelude=False)).status == 502


def test_a_silent_stream_is_504_before_its_status_and_cut_after_it():
    with apis(script="streaming_loop.py", limits=FAST, environments=3) as run:
        early = post(f"{run.rest}/live/", chunks(3, "x", prelude=False))
        late = post(f"{run.rest}/live/", chunks("one", 3, "two"))
    assert (early.status, early.json) == (504, {"message": "Endpoint request timed out"})
    assert (late.status, late.body, late.cut) == (201, b"one", True)


def test_a_caller_who_leaves_does_not_stop_the_function():
    with apis(script="streaming_loop.py", environments=1) as run:
        host = run.rest.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.request("POST", "/live/", json.dumps(chunks("one", 0.7, "two")), {"x-api-key": "k" * 20})
        reply = connection.getresponse()
        assert reply.read1(3) == b"one"
        reply.close()
        connection.close()
        time.sleep(1.5)
        assert post(f"{run.rest}/live/", chunks("again")).body == b"again"
    assert sum("REPORT" in line and "error" not in line for line in run.said) == 2


def test_awss_own_client_of_lambda_is_answered():
    with apis("handlers.echo") as run:
        client = boto3.client(
            "lambda", endpoint_url=run.functions_url, region_name="eu-central-1", aws_access_key_id="x",
            aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        whole = client.invoke(FunctionName="f", Payload=b'{"body": "abc"}')
        assert json.loads(json.loads(whole["Payload"].read())["body"])["size"] == 3
        events = list(client.invoke_with_response_stream(FunctionName="f", Payload=b'{"body": "abc"}')["EventStream"])
        assert [next(iter(event)) for event in events] == ["PayloadChunk", "InvokeComplete"]
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.invoke(FunctionName="g", Payload=b"{}")
