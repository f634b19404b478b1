import copy
import json
import zipfile

import pytest

from breakeven.errors import BreakevenError, SpecError, UnknownNameError
from breakeven.workload.evaluations import read_evaluation
from breakeven.workload.success import EvaluationFile, counted

KNOWN = ("llama-3.1-8b", "gpt-4o-mini", "llama-3.3-70b-instruct")
HARNESS = {
    "results": {
        "gsm8k": {
            "alias": "gsm8k",
            "exact_match,strict-match": 0.844,
            "exact_match_stderr,strict-match": 0.016243636028391094,
        }
    },
    "group_subtasks": {"gsm8k": []},
    "configs": {"gsm8k": {"task": "gsm8k"}},
    "higher_is_better": {"gsm8k": {"exact_match": True}},
    "n-samples": {"gsm8k": {"original": 1319, "effective": 500}},
    "config": {"model": "hf", "model_args": "pretrained=meta-llama/Llama-3.3-70B-Instruct,dtype=bfloat16"},
    "model_name": "meta-llama/Llama-3.3-70B-Instruct",
}
INSPECT = {
    "version": 2,
    "status": "success",
    "eval": {"task": "tickets", "model": "openai/gpt-4o-mini", "dataset": {"samples": 200}, "config": {"epochs": 1}},
    "results": {
        "total_samples": 200,
        "completed_samples": 200,
        "scores": [
            {
                "name": "match",
                "scorer": "match",
                "scored_samples": 200,
                "unscored_samples": 0,
                "metrics": {
                    "accuracy": {"name": "accuracy", "value": 0.91},
                    "stderr": {"name": "stderr", "value": 0.0203},
                },
            }
        ],
    },
}


@pytest.fixture
def read(tmp_path):
    """Read a document as if it stood in a file."""

    def reading(document, **wanted):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return read_evaluation(path, EvaluationFile(file="results.json", **wanted), KNOWN)

    return reading


def changed(document, change):
    other = copy.deepcopy(document)
    change(other)
    return other


def test_a_results_file_of_the_harness_gives_rate_count_and_interval(read):
    model, found = read(HARNESS)
    assert model == "llama-3.3-70b-instruct"
    assert (found.rate, found.answers) == (0.844, 500)
    assert (found.low, found.high) == (counted(0.844, 500).low, counted(0.844, 500).high)
    assert found.basis == "measured"
    assert found.told == "results.json, task gsm8k, exact_match,strict-match"


def test_a_log_of_inspect_gives_rate_count_and_interval(read):
    model, found = read(INSPECT)
    assert (model, found.rate, found.answers) == ("gpt-4o-mini", 0.91, 200)
    assert found.low < 0.91 < found.high
    assert found.told == "results.json, task tickets, match/accuracy"


def test_a_packed_log_of_inspect_is_read_by_its_header(tmp_path):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("header.json", json.dumps(INSPECT))
        packed.writestr("samples/1_epoch_1.json", "{")
    assert read_evaluation(path, EvaluationFile(file="log.eval"), KNOWN)[1].rate == 0.91


def test_two_metrics_that_could_be_meant_are_refused_until_one_is_named(read):
    both = changed(HARNESS, lambda d: d["results"]["gsm8k"].update({"exact_match,flexible-extract": 0.892}))
    with pytest.raises(SpecError, match=r"several figures.*strict-match \(0.844\), exact_match,flexible-extract"):
        read(both)
    assert read(both, metric="exact_match,flexible-extract")[1].rate == 0.892
    with pytest.raises(SpecError, match="several figures"):
        read(both, metric="exact_match")
    with pytest.raises(SpecError, match=r"holds no metric 'exact_match,flexible-extrat'.*exact_match,flexible-extract"):
        read(both, metric="exact_match,flexible-extrat")


def test_a_figure_that_does_not_count_right_answers_has_to_be_named(read):
    bleu = changed(HARNESS, lambda d: d["results"].update(gsm8k={"bleu,none": 0.4, "perplexity,none": 8.1}))
    with pytest.raises(SpecError, match=r"no figure that is known as one.*bleu \(0.4\)"):
        read(bleu)
    assert read(bleu, metric="bleu")[1].rate == 0.4


def test_what_is_better_when_lower_is_never_a_success_rate(read):
    wer = changed(HARNESS, lambda d: d["higher_is_better"]["gsm8k"].update(exact_match=False))
    with pytest.raises(SpecError, match="none between 0 and 1"):
        read(wer)


def test_of_several_tasks_one_has_to_be_named(read):
    two = changed(HARNESS, lambda d: d["results"].update(arc={"acc,none": 0.5}))
    with pytest.raises(SpecError, match="holds 2 tasks: gsm8k, arc"):
        read(two)
    assert read(two, task="arc")[1].rate == 0.5
    assert read(two, task="arc")[1].answers is None
    with pytest.raises(SpecError, match=r"holds no task 'acr'. Expected: gsm8k, arc"):
        read(two, task="acr")


def test_a_group_counts_the_answers_of_all_its_tasks(read):
    group = {
        "results": {"mmlu": {"acc,none": 0.6}, "law": {"acc,none": 0.5}, "art": {"acc,none": 0.7}},
        "group_subtasks": {"mmlu": ["law", "art"], "law": [], "art": []},
        "n-samples": {"law": {"effective": 60}, "art": {"effective": 60}},
        "model_name": "llama-3.1-8b",
    }
    assert read(group)[1].answers == 120


def test_an_error_that_stands_for_fewer_answers_makes_the_interval_wider(read):
    """Answers to one question are alike: 500 of them may tell no more than 100 would."""
    wider = changed(
        HARNESS, lambda d: d["results"]["gsm8k"].update({"exact_match_stderr,strict-match": 0.016243636 * 5**0.5})
    )
    assert read(wider)[1].answers == pytest.approx(100, rel=0.01)
    assert read(wider)[1].low < read(HARNESS)[1].low


def test_without_a_count_the_stated_error_gives_the_interval_and_without_both_there_is_none(read):
    uncounted = changed(HARNESS, lambda d: d.pop("n-samples"))
    assert read(uncounted)[1].answers == pytest.approx(499, rel=0.01)
    bare = changed(uncounted, lambda d: d["results"]["gsm8k"].update({"exact_match_stderr,strict-match": "N/A"}))
    assert (read(bare)[1].rate, read(bare)[1].low, read(bare)[1].answers) == (0.844, None, None)


def test_answers_to_one_sample_over_epochs_are_one_answer(read):
    epochs = changed(
        INSPECT,
        lambda d: (d["eval"]["config"].update(epochs=4), d["results"].update(completed_samples=800),
                   d["results"]["scores"][0].update(reducer="mean", scored_samples=None)),
    )  # fmt: skip
    assert read(epochs)[1].answers == 200


def test_the_best_of_several_epochs_is_no_rate_of_one_attempt(read):
    best = changed(
        INSPECT, lambda d: (d["eval"]["config"].update(epochs=4), d["results"]["scores"][0].update(reducer="max"))
    )
    with pytest.raises(SpecError, match=r"no figure that is known.*max of 4 epochs"):
        read(best)


@pytest.mark.parametrize("status", ["error", "started", "cancelled"])
def test_a_run_that_did_not_end_is_refused(read, status):
    with pytest.raises(SpecError, match=f"that is {status}"):
        read(changed(INSPECT, lambda d: d.update(status=status)))


def test_a_model_that_the_catalogue_names_otherwise_has_to_be_named(read):
    odd = changed(HARNESS, lambda d: d.update(model_name="me/my-llama"))
    with pytest.raises(SpecError, match="me/my-llama, which the catalogue does not hold"):
        read(odd)
    assert read(odd, model="llama-3.1-8b")[0] == "llama-3.1-8b"
    with pytest.raises(UnknownNameError, match=r"llama-3.1-8b\?"):
        read(odd, model="llama-3.1-8")


def test_an_older_file_names_its_model_among_the_arguments(read):
    assert read(changed(HARNESS, lambda d: d.pop("model_name")))[0] == "llama-3.3-70b-instruct"
    with pytest.raises(SpecError, match="does not say which model"):
        read(changed(HARNESS, lambda d: (d.pop("model_name"), d.pop("config"))))


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"results": 3}', "nonsense", '{"results": {}, "eval": 1}', "[" * 10**5]
)
def test_what_is_no_results_file_is_refused_in_one_message(tmp_path, text):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BreakevenError) as wrong:
        read_evaluation(path, EvaluationFile(file="odd.json"), KNOWN)
    assert str(wrong.value).count("Expected: ") == 1


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        read_evaluation(tmp_path / "none.json", EvaluationFile(file="none.json"), KNOWN)


@pytest.mark.parametrize(
    ("field", "value", "said"), [("flags", 1, "password required"), ("packing", 99, "compression method")]
)
def test_a_packed_log_with_a_password_or_an_unknown_packing_says_how_to_unpack_it(tmp_path, field, value, said):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("header.json", json.dumps(INSPECT))
    raw = bytearray(path.read_bytes())
    local = {"flags": 6, "packing": 8}[field]
    for at in (local, raw.index(b"PK\x01\x02") + local + 2):
        raw[at] = value
    path.write_bytes(raw)
    with pytest.raises(SpecError, match=f"{said}.*inspect log convert"):
        read_evaluation(path, EvaluationFile(file="log.eval"), KNOWN)


def test_a_packed_file_without_a_header_says_how_to_unpack_it(tmp_path):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("summaries.json", "{}")
    with pytest.raises(SpecError, match="inspect log convert"):
        read_evaluation(path, EvaluationFile(file="log.eval"), KNOWN)
