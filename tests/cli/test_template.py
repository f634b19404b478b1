"""`breakeven template`, as it is called."""

import pytest
import yaml
from typer.testing import CliRunner

from breakeven.cli.app import app
from breakeven.errors import BreakevenError

OPTION = "host:qwen3.5-35b-a3b:fp8:ml.g6e.xlarge:tp1:lambda-rest-stream"
DIRECT = OPTION.replace("lambda-rest-stream", "direct")


def run(*words):
    found = CliRunner().invoke(app, list(words))
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    run(
        *("compare", "examples/chat-assistant.yaml", "--as-of", "2026-11-29", "--no-bands", "--top", "3"),
        *("--explain", OPTION, "--json", str(file)),
    )
    return str(file)


def test_an_option_that_was_explained_stands_in_the_document_and_becomes_a_stack(plan, tmp_path):
    out = tmp_path / "stack.yaml"
    assert run("template", plan, "--option", OPTION, "-o", str(out)).output == ""
    printed = run("template", plan, "--option", OPTION, "--path", "lambda").output
    assert out.read_text() == printed
    assert "AWS::ApiGateway::RestApi" in printed


def test_what_it_costs_is_told_by_resource_with_the_sum_of_the_plan(plan):
    told = run("template", plan, "--option", OPTION, "--cost").output
    for word in ("Endpoint", "Function", "Dashboard", "Removal", "the plan's bill of this option"):
        assert word in told
    assert "not priced" not in told


def test_scaling_to_zero_says_what_its_sum_leaves_out(plan):
    told = " ".join(run("template", plan, "--option", OPTION, "--scale-to-zero", "--cost").output.split())
    assert "Neither is counted here" in told


def test_for_a_cluster_it_writes_manifests(plan):
    text = run("template", plan, "--option", OPTION, "--target", "kubernetes", "--name", "chat").output
    assert [document["kind"] for document in yaml.safe_load_all(text)][:2] == ["Deployment", "Service"]
    assert "Deployment" in run("template", plan, "--option", OPTION, "--target", "kubernetes", "--cost").output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--option", OPTION, "--path", "direct"), f"Plan its twin: `breakeven compare SPEC --explain {DIRECT}"),
        (("--option", OPTION, "--path", "sideways"), "lambda or direct"),
        (("--option", OPTION, "--target", "nomad"), "sagemaker or kubernetes"),
        (("--option", OPTION, "--expires", "tomorrow"), "2027-01-31T18:00:00"),
        (("--option", OPTION, "--expires", "2027-01-31T18:00:00+02:00"), "without a zone"),
        (("--option", OPTION, "--target", "kubernetes", "--scale-to-zero"), "is of SageMaker"),
        (("--option", OPTION, "--max-model-len", "99999999"), "--max-model-len is 99999999"),
        (("--option", "host:nothing"), "is not in the"),
    ],
)
def test_bad_input_is_one_clear_message(plan, words, told):
    with pytest.raises(BreakevenError) as refused:
        run("template", plan, *words)
    assert told in str(refused.value)


def test_nothing_is_written_where_the_input_is_bad(plan, tmp_path):
    out = tmp_path / "stack.yaml"
    with pytest.raises(BreakevenError):
        run("template", plan, "--option", "host:nothing", "-o", str(out))
    assert not out.exists()
