import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.documents.measure import measure_documents
from breakeven.documents.spec import documents_spec_yaml, refuse_no_answer, shapes
from breakeven.errors import SpecError
from breakeven.workload.spec import read_specs

LENGTHS = st.lists(st.integers(1, 10**6), min_size=1, max_size=300)


@pytest.fixture(scope="module")
def report(corpus, shipped):
    return measure_documents(corpus, catalogue=shipped)


@pytest.fixture
def spec_of(report, tmp_path):
    """The spec that ``compare`` reads from the YAML."""

    def read(**fields):
        path = tmp_path / "spec.yaml"
        path.write_text(documents_spec_yaml(report, **fields), encoding="utf-8")
        (spec,) = read_specs(path)
        return spec

    return read


@given(LENGTHS)
def test_shapes_keep_the_mean_the_longest_document_and_all_documents(lengths):
    found = shapes(np.array(lengths))
    assert sum(share for share, _ in found) == pytest.approx(1)
    assert sum(share * mean for share, mean in found) == pytest.approx(np.mean(lengths))
    assert found[-1][1] == max(lengths)
    assert [mean for _, mean in found] == sorted({mean for _, mean in found})
    assert len(found) <= 13


def test_equal_documents_are_one_shape():
    assert shapes(np.full(1000, 77)) == [(pytest.approx(1), 77)]


def test_the_spec_is_one_that_compare_reads_with_the_documents_mean(spec_of, report):
    workload = spec_of(output_tokens=400, requests_per_day=1000).workload({})
    assert workload.requests_per_day == pytest.approx(1000)
    assert workload.task == "generate"
    assert workload.mix.mean.input == pytest.approx(report.lengths("o200k_base").mean, abs=0.1)
    assert workload.mix.mean.output == pytest.approx(400)
    assert workload.mix.longest_tokens == report.lengths("o200k_base").longest + 400


def test_traffic_is_not_invented_and_compare_says_that_it_is_missing(spec_of):
    with pytest.raises(SpecError) as wrong:
        spec_of(output_tokens=400).workload({})
    assert str(wrong.value).startswith("the spec does not say how many requests there are.")


def test_the_line_to_fill_in_is_marked(report):
    assert "  requests_per_day:  # FILL IN: " in documents_spec_yaml(report, output_tokens=1)


def test_an_answer_as_a_share_grows_with_its_document(spec_of):
    spec = spec_of(output_share=0.2)
    assert all(shape.output == pytest.approx(shape.input / 4, abs=0.1) for shape in spec.tokens.shapes)


def test_instructions_are_added_to_every_document(spec_of):
    plain, told = spec_of(output_tokens=9).tokens.shapes, spec_of(output_tokens=9, prompt_tokens=150).tokens.shapes
    assert [two.input - one.input for one, two in zip(plain, told, strict=True)] == [150] * len(plain)


def test_documents_to_encode_have_no_output(spec_of):
    workload = spec_of(task="encode", requests_per_day=10).workload({})
    assert (workload.task, workload.mix.mean.output) == ("encode", 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((None, None, None), "the answers have no stated number of output tokens"),
        ((0.0, None, None), "the answers have 0 output tokens"),
        ((None, 0.0, "generate"), "the answers have 0 output tokens"),
        ((5.0, 0.5, None), "--output-tokens and --output-share are both given"),
        ((5.0, None, "encode"), "task is encode, but answers are given"),
        ((None, 1.0, None), "--output-share is 1"),
        ((None, float("nan"), None), "--output-share is nan"),
        ((-1.0, None, None), "--output-tokens is -1"),
    ],
)
def test_answers_of_no_stated_or_senseless_length_are_refused(given, told):
    with pytest.raises(SpecError) as wrong:
        refuse_no_answer(*given)
    assert str(wrong.value).startswith(told)


@pytest.mark.parametrize(
    "fields", [{"requests_per_day": 0.0}, {"requests_per_day": float("inf")}, {"prompt_tokens": -1.0}]
)
def test_senseless_figures_are_refused(report, fields):
    with pytest.raises(SpecError):
        documents_spec_yaml(report, output_tokens=1, **fields)


def test_the_head_says_which_tokenizer_counted_and_how_far_the_others_are(report):
    head = [line for line in documents_spec_yaml(report, output_tokens=1).splitlines() if line.startswith("#")]
    assert head[1] == "# Tokens of o200k_base (GPT-4o and newer)."
    assert head[2] == "# The same documents beside o200k_base: cl100k_base +13.1%, llama3 +4.9%, qwen3 +8.3%."


def test_a_folder_with_an_odd_name_still_gives_a_spec(tmp_path, shipped):
    folder = tmp_path / 'a: "b" #{c}\n- d'
    folder.mkdir()
    (folder / "a.txt").write_text("some words")
    path = tmp_path / "spec.yaml"
    path.write_text(
        documents_spec_yaml(measure_documents(folder, catalogue=shipped), output_tokens=1), encoding="utf-8"
    )
    assert read_specs(path)[0].name == 'a: "b" #{c}\\n- d'
