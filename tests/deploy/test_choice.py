"""Which option is set up, and what is said of those that cannot be: what was given, what would do, what to do."""

import msgspec
import pytest

from breakeven.cli.plans import plans_of
from breakeven.deploy.choice import on_kubernetes, on_sagemaker
from breakeven.deploy.plan import read_plans
from breakeven.deploy.server import Weights, settings
from breakeven.errors import BreakevenError, NoDataError, SpecError, UnknownNameError
from breakeven.report.document import plan_document, to_json

from .conftest import DAY, EXAMPLES


def read(tmp_path, example, top=10, **flags):
    plans = plans_of(EXAMPLES / f"{example}.yaml", {"": {"as_of": DAY}, **flags})
    file = tmp_path / "plan.json"
    file.write_bytes(to_json(tuple(plan_document(one, top) for one in plans)))
    return read_plans(file)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return read(tmp_path_factory.mktemp("chat"), "chat-assistant", top=3)


def first(plans, **wanted):
    return next(
        v.option.id for p in plans for v in p.verdicts if all(getattr(v.option, k) == x for k, x in wanted.items())
    )


def test_an_option_of_ec2_is_refused_with_its_twin_on_sagemaker(chat):
    with pytest.raises(SpecError, match="runs on aws-ec2, not on SageMaker") as refused:
        on_sagemaker(chat, first(chat, provider="aws-ec2"))
    assert "--target kubernetes" in str(refused.value)
    assert ":ml.g6e.xlarge:tp1:direct" in str(refused.value)
    assert "breakeven compare SPEC --explain host:" in str(refused.value)


def test_the_twin_that_a_message_names_is_an_option_that_can_be_planned(chat, tmp_path):
    with pytest.raises(SpecError) as refused:
        on_sagemaker(chat, first(chat, provider="aws-ec2"))
    twin = next(word for word in str(refused.value).split() if word.startswith("host:") and ":ml." in word)
    plan = plans_of(EXAMPLES / "chat-assistant.yaml", {"": {"as_of": DAY}})[0]
    file = tmp_path / "plan.json"
    file.write_bytes(to_json((plan_document(plan, 3, None, (plan.explain(twin),)),)))
    assert on_sagemaker(read_plans(file), twin).verdict.option.id == twin


def test_a_paid_api_is_nothing_to_deploy_and_the_gateway_is_named(chat):
    with pytest.raises(SpecError, match="paid API: there is nothing to deploy") as refused:
        on_sagemaker(chat, first(chat, kind="api"))
    assert "breakeven gateway" in str(refused.value)


def test_of_a_hybrid_the_base_is_deployed(chat):
    (plan,) = chat
    verdict = plan.verdicts[0]
    from breakeven.deploy.plan import Hybrid

    hybrid = msgspec.structs.replace(
        verdict,
        option=msgspec.structs.replace(verdict.option, id="hybrid:x+y", kind="hybrid"),
        hybrid=Hybrid(base="host:x", overflow_to="api:y"),
        setup=None,
    )
    with pytest.raises(SpecError, match=r"--option host:x.*overflow to api:y"):
        on_sagemaker((msgspec.structs.replace(plan, verdicts=(hybrid,)),), "hybrid:x+y")


def test_a_cascade_is_deployed_half_by_half(tmp_path):
    plans = read(tmp_path, "support-tickets")
    name = first(plans, kind="cascade")
    with pytest.raises(SpecError, match=r"is a cascade of two options.*Deploy its halves"):
        on_kubernetes(plans, name)


def test_a_path_that_cannot_stream_is_refused_with_the_one_that_can(tmp_path):
    plan = plans_of(
        EXAMPLES / "nightly-batch.yaml", {"": {"as_of": DAY}, "only": {"paths": ["lambda-http"], "kinds": ["hosted"]}}
    )[0]
    file = tmp_path / "plan.json"
    file.write_bytes(to_json((plan_document(plan, 2),)))
    plans = read_plans(file)
    name = first(plans, serving_path="lambda-http")
    with pytest.raises(SpecError, match=r"on the path lambda-http.*:lambda-rest-stream"):
        on_sagemaker(plans, name)


def test_another_path_than_the_planned_one_is_another_bill_and_refused(planned):
    found = planned("chat-assistant", "direct")
    with pytest.raises(
        SpecError, match=r"planned and priced on the path direct.*`--path lambda` is lambda-rest-stream"
    ):
        on_sagemaker(found.plans, found.best(), "lambda")


def test_an_unknown_option_is_told_with_near_matches(chat):
    with pytest.raises(UnknownNameError, match="Did you mean"):
        on_sagemaker(chat, first(chat, provider="aws-ec2").replace("fp8", "fp9"))


def test_an_option_that_stands_in_several_plans_of_a_file_is_refused(planned):
    found = planned("chat-assistant", "direct")
    with pytest.raises(SpecError, match="several plans of this file: chat-assistant, chat-assistant"):
        on_sagemaker(found.plans * 2, found.best())


def test_an_id_may_come_without_its_kind(planned):
    found = planned("chat-assistant", "direct")
    assert on_sagemaker(found.plans, found.best().removeprefix("host:")).verdict.option.id == found.best()


def test_an_encoder_or_a_chip_that_the_images_do_not_run_on_is_refused(tmp_path):
    plans = read(tmp_path, "support-tickets", only={"machines": ["inf2.*"], "kinds": ["hosted"]})
    with pytest.raises(SpecError, match=r"vllm-neuron on .*GPUs of NVIDIA"):
        on_kubernetes(plans, first(plans, kind="hosted"))


def test_a_file_that_is_no_plan_is_told_in_one_sentence(tmp_path):
    for content in (b"", b"[1]", b"{}", b'{"schema_version": "2.0"}', b"not json", b'{"schema_version": "1.0"}'):
        file = tmp_path / "plan.json"
        file.write_bytes(content)
        with pytest.raises(BreakevenError, match="breakeven compare SPEC --json"):
            read_plans(file)
    with pytest.raises(SpecError, match="cannot be read"):
        read_plans(tmp_path / "absent.json")


def test_a_plan_of_another_schema_version_says_which_are_read(tmp_path):
    file = tmp_path / "plan.json"
    file.write_bytes(b'{"schema_version": "2.0"}')
    with pytest.raises(SpecError, match=r"schema version 2\.0, and this breakeven reads 1\.x"):
        read_plans(file)


@pytest.mark.parametrize("native", ["int4", "mxfp4", "int8"])
def test_a_format_that_cannot_be_made_while_loading_needs_weights_that_are_in_it(direct, native):
    from dataclasses import replace

    chosen = replace(
        direct,
        verdict=msgspec.structs.replace(
            direct.verdict, option=msgspec.structs.replace(direct.verdict.option, number_format=native)
        ),
    )
    with pytest.raises(SpecError, match=f"weights in {native}.*--quantized"):
        settings(chosen, Weights(), None)
    assert "quantization" not in settings(chosen, Weights(place="acme/narrow", quantized=True), None)


def test_eight_bits_are_made_while_loading(direct):
    assert direct.verdict.option.number_format == "fp8"
    assert direct.setup.native_format == "bf16"
    assert settings(direct, Weights(), None)["quantization"].value == "fp8"


def test_weights_that_nobody_named_are_asked_for(direct):
    from dataclasses import replace

    from breakeven.deploy.server import place_of

    unnamed = replace(direct, setup=msgspec.structs.replace(direct.setup, weights=None))
    with pytest.raises(NoDataError, match="--weights owner/name"):
        place_of(unnamed, Weights())
    with pytest.raises(SpecError, match="with its last /"):
        place_of(direct, Weights(place="s3://acme/models"))


def test_a_context_that_does_not_fit_is_refused(direct):
    limit = min(n for n in (direct.setup.model_context_tokens, direct.setup.kv_cache_tokens) if n)
    assert settings(direct, Weights(), limit)["max-model-len"].value == limit
    with pytest.raises(SpecError, match=f"1 to {limit}"):
        settings(direct, Weights(), limit + 1)


@pytest.mark.parametrize(("generation", "dtype"), [("turing", "float16"), ("ada", "bfloat16")])
def test_hardware_without_bfloat16_gets_the_other_sixteen_bits(direct, generation, dtype):
    from dataclasses import replace

    chosen = replace(direct, setup=msgspec.structs.replace(direct.setup, generation=generation))
    assert settings(chosen, Weights(), None)["dtype"].value == dtype
