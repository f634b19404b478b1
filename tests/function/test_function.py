"""The gateway as a function under AWS's runtime client: what it reads, refuses at its start, and answers."""

import base64
import json

import pytest
from tests.function.running import VARIABLES, event, invoke, parted, refused
from tests.gateway.bookkeeping import USD, add_key, cluster, opened, postgres  # noqa: F401

from breakeven.errors import SpecError
from breakeven.function.settings import file_of
from breakeven.function.streamed import prelude

CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "a secret prompt"}]})


def told(done):
    return json.loads(done.error)["errorMessage"]


def test_the_variables_of_the_template_become_one_route_to_its_endpoint():
    file = file_of(VARIABLES | {"AWS_REGION": "eu-west-1", "BREAKEVEN_COMPONENT": "c"})
    own = file.upstreams["own"].sagemaker
    assert (own.endpoint, own.region, own.component) == ("e", "eu-west-1", "c")
    assert file.models == {"m": ("own",)}
    assert (file.timeouts.answer_s, file.limits.request_s, file.books.keys) == (20.0, 20.0, False)
    assert file.limits.body_bytes <= 6 * 1024 * 1024


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"BREAKEVEN_ENDPOINT": ""}, "BREAKEVEN_ENDPOINT is empty"),
        ({"BREAKEVEN_MODEL": " "}, "BREAKEVEN_MODEL is empty"),
        ({"BREAKEVEN_UPSTREAM_TIMEOUT_S": "soon"}, "BREAKEVEN_UPSTREAM_TIMEOUT_S is soon"),
        ({"BREAKEVEN_UPSTREAM_TIMEOUT_S": "901"}, "900 at most"),
    ],
)
def test_a_variable_that_is_wrong_is_one_message(variables, message):
    with pytest.raises(SpecError, match=message):
        file_of(VARIABLES | variables)


def configured(tmp_path, text):
    (tmp_path / "gateway.yaml").write_text(text)
    return {"LAMBDA_TASK_ROOT": str(tmp_path), "BREAKEVEN_CONFIG": "gateway.yaml"}


@pytest.mark.parametrize("kind", ["streamed", "buffered"])
def test_keys_without_postgresql_are_refused_when_the_function_starts(tmp_path, kind):
    variables = configured(tmp_path, "books: {keys: true}\n")
    how = {} if kind == "streamed" else {"command": (), "handler": "breakeven.function.buffered.handler"}
    said = refused(variables=variables, **how)
    assert "keys and budgets are asked for, and the store is a file" in said
    assert "Set books.store_env" in said


def test_an_empty_store_variable_is_refused_too(tmp_path):
    said = refused(variables=configured(tmp_path, "books: {keys: true, store_env: BOOKS}\n"))
    assert "the environment variable BOOKS is empty" in said


def test_keys_in_postgresql_are_asked_for_and_each_record_is_written_before_the_next_request(tmp_path, postgres):  # noqa: F811
    secret, _ = add_key(postgres, budget_pico_usd=5 * USD)
    variables = configured(tmp_path, "books: {keys: true, store_env: BOOKS}\n") | {"BOOKS": postgres}
    right = {"authorization": f"Bearer {secret}"}
    answers = invoke(event(), event(headers=right), variables=variables)
    assert [parted(body)[0]["statusCode"] for body, _ in answers] == [401, 200]
    store = opened(postgres)
    try:
        found = store._database.run("SELECT status FROM usage ORDER BY at_us")
    finally:
        store.close()
    assert [row[0] for row in found] == [401, 200]


def test_one_environment_answers_request_after_request_with_status_and_headers_before_the_body():
    said = []
    answers = invoke(event(), event("/v1/nothing"), event("/v1/models", "POST"), said=said)
    heads = [parted(body)[0] for body, done in answers if done.kind is None]
    assert [head["statusCode"] for head in heads] == [200, 404, 405]
    assert json.loads(parted(answers[0][0])[1])["data"][0]["id"] == "m"
    assert heads[0]["headers"]["content-type"] == "application/json"
    assert "content-length" not in heads[0]["headers"]


def test_an_endpoint_that_does_not_answer_is_the_gateways_502_and_the_log_holds_no_prompt():
    said = []
    closed = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://127.0.0.1:9"}
    ((body, done),) = invoke(event("/v1/chat/completions", "POST", CHAT), variables=closed, said=said)
    assert done.kind is None
    assert parted(body)[0]["statusCode"] == 502
    records = [json.loads(line) for line in said if '"record"' in line]
    assert [one["record"]["status"] for one in records] == [502]
    assert not any("secret prompt" in line for line in said)


@pytest.mark.parametrize("asked", [b"not json", b'{"Records": []}', b"[]"])
def test_an_event_that_is_no_http_request_is_an_error_and_the_next_one_is_served(asked):
    answers = invoke(asked, event())
    assert answers[0][1].kind is not None
    assert "no HTTP request" in told(answers[0][1])
    assert parted(answers[1][0])[0]["statusCode"] == 200


def test_the_metrics_of_one_copy_are_shown_to_nobody():
    ((body, _),) = invoke(event("/metrics"))
    assert parted(body)[0]["statusCode"] == 401


def test_a_body_in_base64_is_read():
    wrapped = json.loads(event("/v1/chat/completions", "POST", base64.b64encode(b'{"model": "x"}').decode()))
    ((body, _),) = invoke(json.dumps(wrapped | {"isBase64Encoded": True}).encode())
    assert parted(body)[0]["statusCode"] in (400, 404)


def test_under_awss_own_loop_an_answer_is_one_piece_of_json():
    buffered = {"command": (), "handler": "breakeven.function.buffered.handler"}
    ((body, done),) = invoke(event(), **buffered)
    answer = json.loads(body)
    assert (answer["statusCode"], done.kind) == (200, None)
    assert json.loads(answer["body"])["data"][0]["id"] == "m"


def test_headers_that_come_twice_and_cookies_keep_their_values():
    told = prelude(200, [(b"x-a", b"1"), (b"X-A", b"2"), (b"x-a", b"3"), (b"set-cookie", b"c=1"), (b"x-b", b"4")])
    assert told.endswith(bytes(8))
    assert json.loads(told[:-8]) == {
        "statusCode": 200,
        "headers": {"x-b": "4"},
        "multiValueHeaders": {"x-a": ["1", "2", "3"]},
        "cookies": ["c=1"],
    }
