"""Results of evaluations read as success rates: lm-evaluation-harness (results JSON) and inspect_ai (logs).

Only what counts right answers is taken: which metric and which task must be clear from the file or be named, and a
figure that is no success rate of a single attempt is refused. Forms read from the public sources of
lm-evaluation-harness 0.4 (EleutherAI) and inspect_ai 0.3, log format 2 (UK AI Security Institute).
"""

import json
import math
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.errors import SpecError, UnknownNameError
from breakeven.workload.success import EvaluationFile, SuccessRate, counted

LARGEST_FILE_BYTES = 200_000_000
COUNTS_RIGHT = ("acc", "accuracy", "exact_match", "em", "pass@1", "pass_at_1", "prompt_level_strict_acc")
"""Metrics that are a share of right answers; any other has to be named."""
SINGLE_ATTEMPT = (None, "", "mean", "pass_at_1")
"""How inspect_ai puts the epochs of one sample together, where that leaves the rate of a single attempt."""
HEADER = "header.json"
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    """One figure of a file under the name by which a user would name it."""

    name: str
    value: float
    stderr: float | None
    answers: float | None
    counts_right: bool


def read_evaluations(
    wanted: Iterable[str | EvaluationFile],
    place: Callable[[str], Path],
    known: Collection[str],
    stated: Mapping[str, SuccessRate],
) -> dict[str, SuccessRate]:
    """The stated rates with those of the evaluations. ``place``: where a file that a spec names lies.

    Raises:
        SpecError: two of them speak of one model, or a file is refused.
        UnknownNameError: a file's model is not among ``known``.
    """
    found = dict(stated)
    for entry in wanted:
        one = EvaluationFile(file=entry) if isinstance(entry, str) else entry
        model, rate = read_evaluation(place(one.file), one, known)
        if model in found:
            raise SpecError(
                f"the success of {model} is given twice: by {found[model].told} and by {rate.told}",
                expected="one figure a model",
                do="Leave one of them out",
            )
        found[model] = rate
    return found


def read_evaluation(path: Path, wanted: EvaluationFile, known: Collection[str]) -> tuple[str, SuccessRate]:
    """The model of an evaluation, by its name among ``known``, and its success rate with the interval.

    Raises:
        SpecError: the file cannot be read, is of another form, did not finish, or does not say which figure is meant.
        UnknownNameError: the model is not among ``known``.
    """
    content = _content(path)
    if isinstance(content.get("results"), dict) and "eval" in content:
        named, metrics, where = _inspect(path, content)
    elif isinstance(content.get("results"), dict):
        named, metrics, where = _harness(path, content, wanted.task)
    else:
        raise SpecError(
            f"{path} is no results file that is known",
            expected="the results JSON of lm-evaluation-harness or a log of inspect_ai",
            do="Name such a file, or write the rates under quality.success",
        )
    metric = _chosen(path, metrics, wanted.metric)
    return _model(path, wanted.model or named, known, stated=wanted.model is not None), _rate(path, metric, where)


def _content(path: Path) -> Fields:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SpecError(
                f"{path} is {path.stat().st_size:,} bytes",
                expected=f"at most {LARGEST_FILE_BYTES:,}",
                do="Give the results without the samples (inspect_ai: the .eval log)",
            )
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                raw = packed.read(HEADER)
        else:
            raw = path.read_bytes()
        content = json.loads(raw)
    except OSError as wrong:
        raise SpecError(
            f"{path} cannot be read: {wrong.strerror}", expected="a file you may read", do="Check the path"
        ) from wrong
    except (ValueError, RecursionError) as wrong:
        raise SpecError(f"{path} is not JSON: {wrong}", expected="a results file", do="Check the file") from wrong
    except (KeyError, RuntimeError, zipfile.BadZipFile) as wrong:  # no such part; a packing or password; no archive
        raise SpecError(
            f"{path} is a packed log that cannot be opened here: {wrong}",
            expected=f"a .eval log with {HEADER}, packed by deflate, or a log as JSON",
            do="Write it as JSON with `inspect log convert --to json`",
        ) from wrong
    return content if isinstance(content, dict) else {}


# --- lm-evaluation-harness ------------------------------------------------------------------------------------------


def _harness(path: Path, content: Fields, task: str | None) -> tuple[str | None, list[_Metric], str]:
    results: Fields = content["results"]
    name = _task(path, content, task)
    better = _fields(_fields(content.get("higher_is_better")).get(name))
    answers = _answers(content, name)
    metrics = []
    for key, value in _fields(results[name]).items():
        plain, _, kind = key.partition(",")
        if plain.endswith("_stderr") or not _is_share(value) or better.get(plain) is False:
            continue
        spread = results[name].get(f"{plain}_stderr,{kind}" if kind else f"{plain}_stderr")
        metrics.append(
            _Metric(
                name=key if kind not in ("", "none") else plain,
                value=float(value),
                stderr=float(spread) if isinstance(spread, int | float) else None,
                answers=answers,
                counts_right=plain in COUNTS_RIGHT,
            )
        )
    return _harness_model(content), metrics, f"task {name}"


def _task(path: Path, content: Fields, wanted: str | None) -> str:
    """The task that was named; else the only one, or the group that holds all others."""
    results: Fields = content["results"]
    held = {sub for subs in _fields(content.get("group_subtasks")).values() if isinstance(subs, list) for sub in subs}
    top = [name for name in results if name not in held]
    if wanted is not None and wanted not in results:
        raise _absent(path, "task", wanted, results)
    if wanted is None and len(top) != 1:
        raise SpecError(
            f"{path} holds {len(top)} tasks: {_some(top)}",
            expected="one, or the name of the one that is like your work",
            do="Add task: to the evaluation",
        )
    return wanted if wanted is not None else top[0]


def _answers(content: Fields, task: str) -> float | None:
    """How many answers a task, or all tasks of a group, had judged."""
    below = _fields(content.get("group_subtasks")).get(task)
    if isinstance(below, list) and below:
        parts = [_answers(content, sub) for sub in below if sub != task]
        return None if None in parts else float(sum(part or 0.0 for part in parts))
    count = _fields(_fields(content.get("n-samples")).get(task)).get("effective")
    return float(count) if isinstance(count, int | float) and count > 0 else None


def _harness_model(content: Fields) -> str | None:
    if isinstance(named := content.get("model_name"), str) and named:
        return named
    given = _fields(content.get("config")).get("model_args")
    pairs = given if isinstance(given, dict) else dict(_pairs(str(given or "")))
    return next((str(pairs[key]) for key in ("pretrained", "model") if key in pairs), None)


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    return ((key.strip(), value) for key, _, value in (part.partition("=") for part in text.split(",")))


# --- inspect_ai -----------------------------------------------------------------------------------------------------


def _inspect(path: Path, content: Fields) -> tuple[str | None, list[_Metric], str]:
    status, header, results = content.get("status"), _fields(content["eval"]), content["results"]
    if status != "success" or content.get("invalidated"):
        told = "with invalid samples" if status == "success" else f"that is {status}"
        raise SpecError(
            f"{path} is the log of an evaluation {told}",
            expected="one that ran to its end",
            do="Run it again, or retry it with `inspect eval-retry`",
        )
    epochs = _fields(header.get("config")).get("epochs") or 1
    metrics = []
    for score in results.get("scores") or []:
        answers = score.get("scored_samples") or (results.get("completed_samples") or 0) / epochs
        found = _fields(score.get("metrics"))
        for name, metric in found.items():
            value = _fields(metric).get("value")
            if name.endswith(("stderr", "std", "var")) or not _is_share(value):
                continue
            single = score.get("reducer") in SINGLE_ATTEMPT
            spread: Any = _fields(found.get("stderr")).get("value")
            label = "/".join(part for part in (score.get("name"), name) if part)
            metrics.append(
                _Metric(
                    name=label if single else f"{label} ({score.get('reducer')} of {epochs} epochs)",
                    value=float(value or 0.0),
                    stderr=spread if _is_number(spread) else None,
                    answers=float(answers) if answers else None,
                    counts_right=single and name in COUNTS_RIGHT,
                )
            )
    model = header.get("model")
    return model if isinstance(model, str) else None, metrics, f"task {header.get('task')}"


# --- both -----------------------------------------------------------------------------------------------------------


def _chosen(path: Path, metrics: list[_Metric], wanted: str | None) -> _Metric:
    """The metric that was named, by the whole of its name or a part before or after its sign; else the only one."""
    if wanted is None:
        fitting = [metric for metric in metrics if metric.counts_right]
    else:
        fitting = [metric for metric in metrics if metric.name == wanted]
        fitting = fitting or [m for m in metrics if wanted in (m.name.partition(",")[0], m.name.rpartition("/")[2])]
    if len(fitting) == 1:
        return fitting[0]
    told = _some([f"{metric.name} ({metric.value:g})" for metric in (fitting or metrics)])
    if wanted is not None and not fitting:
        raise _absent(path, "metric", wanted, [metric.name for metric in metrics])
    raise SpecError(
        f"{path} holds {'several figures' if fitting else 'no figure that is known as one'} that could be the share of "
        f"right answers: {told or 'none between 0 and 1'}",
        expected="one share of right answers",
        do="Add metric: to the evaluation with the one that means an answer you can use",
    )


def _rate(path: Path, metric: _Metric, where: str) -> SuccessRate:
    """The rate with its interval: by the number of answers, or by the error where that stands for fewer."""
    by_error = None
    if metric.stderr and 0 < metric.value < 1:
        by_error = metric.value * (1 - metric.value) / metric.stderr**2
    counts = [count for count in (metric.answers, by_error) if count]
    told = f"{path.name}, {where}, {metric.name}"
    if not counts:
        return SuccessRate(rate=metric.value, basis="measured", told=told)
    fewest = min(counts)
    if metric.answers and by_error and by_error > metric.answers * 0.9:
        fewest = metric.answers  # the same count, less rounding and Bessel's correction
    return counted(metric.value, max(fewest, 1.0), "measured", told)


def _model(path: Path, named: str | None, known: Collection[str], *, stated: bool) -> str:
    """The name of a model in the catalogue: as it stands, or less what stands before its last ``/``."""
    if named is None:
        raise SpecError(f"{path} does not say which model it is of", expected="model: in the evaluation", do="Add it")
    if stated and named in known:
        return named
    by_lower = {name.lower(): name for name in known}
    for spelt in (named.lower(), named.lower().rpartition("/")[2]):
        if spelt in by_lower:
            return by_lower[spelt]
    if stated:
        raise UnknownNameError("model", named, known, search="breakeven catalogue search")
    raise SpecError(
        f"{path} is of the model {named}, which the catalogue does not hold under that name",
        expected="model: in the evaluation, as the catalogue calls it",
        do=f"Look it up with `breakeven catalogue search {named.rpartition('/')[2]}`",
    )


def _absent(path: Path, what: str, wanted: str, held: Iterable[str]) -> SpecError:
    return SpecError(
        f"{path} holds no {what} {wanted!r}", expected=_some(held) or f"a file with a {what}", do=f"Correct the {what}"
    )


def _fields(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= float(value) <= 1  # type: ignore[arg-type]


def _some(names: Iterable[str], shown: int = 6) -> str:
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
