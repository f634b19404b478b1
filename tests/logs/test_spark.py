"""The same expressions on Spark: every measurement and every sum is the one that DuckDB gives."""

import dataclasses
import json
import os
import shutil
from decimal import Decimal

import numpy as np
import pytest
from tests.logs.forms import FORMS, MONDAY, OWN, REQUESTS, Request, lines

from breakeven.errors import SpecError
from breakeven.logs.log import Asked, Log
from breakeven.logs.measure import measure
from breakeven.logs.names import Names
from breakeven.logs.price import price
from breakeven.logs.spark import Spark
from breakeven.logs.tariffs import Tariffs

ROWS = 3000
STEP = "Java is missing: install it as docs/guides/logs.md says (apt-get install openjdk-17-jre-headless)"


@pytest.fixture(scope="module", autouse=True)
def one_session():
    """Spark starts once for all tests of this module, and stops after them."""
    if not shutil.which("java") and "JAVA_HOME" not in os.environ:
        pytest.fail(STEP)
    from pyspark.sql import SparkSession

    yield
    if session := SparkSession.getActiveSession():
        session.stop()


def _both(catalogue, *paths, groups=(), **how):
    found = []
    for engine in ("duckdb", "spark"):
        with Log(Asked(paths=paths, engine=engine, **how)) as log:
            found.append(measure(log, groups, catalogue))
    return found


@pytest.fixture(scope="module")
def many() -> tuple[Request, ...]:
    """A few thousand requests of two teams over eight days."""
    draw = np.random.default_rng(7)
    sizes = draw.lognormal((6.6, 5.0), (1.2, 0.9), (ROWS, 2)).astype(int) + 1
    seconds = np.sort(draw.uniform(0, 8 * 86_400, ROWS))
    return tuple(
        Request(
            float(at), ("gpt-4o", "o4-mini")[n % 2], int(i), int(o), cached=int(i) // 3, team=("a", "b")[n % 3 == 0]
        )
        for n, (at, (i, o)) in enumerate(zip(seconds, sizes, strict=True))
    )


def test_every_form_measures_the_same(logged, small_catalogue):
    """All forms that may stand side by side, in one pass of each engine."""
    paths = [logged(form, write(REQUESTS)) for form, write in FORMS.items() if form not in ("own.jsonl", "spans.jsonl")]
    duckdb, spark = _both(small_catalogue, *paths, zone="Europe/Berlin")
    assert spark == duckdb
    assert spark.workloads[0].requests == 4 * len(paths)


def test_columns_of_ones_own_measure_the_same(logged, small_catalogue):
    duckdb, spark = _both(small_catalogue, logged("own.jsonl", FORMS["own.jsonl"](REQUESTS)), columns=OWN)
    assert spark == duckdb


def test_thousands_of_rows_in_groups_give_the_same_spec(logged, small_catalogue, many):
    from breakeven.logs.specs import spec_text

    path = logged("litellm.jsonl", FORMS["litellm.jsonl"](many))
    duckdb, spark = _both(small_catalogue, path, groups=("model", "team"))
    assert len(spark.workloads) == 4
    assert spark.workloads[0].traffic.profile
    assert spec_text(spark, [path]) == spec_text(duckdb, [path])


def test_the_same_rows_are_unusable_for_the_same_reasons(logged, small_catalogue):
    good = "2026-09-07T00:00:00Z,10,5\n2026-09-07T02:00:00+02:00,30,5\n2026-09-07 01:00:00 UTC,40,5\n"
    bad = "2026-09-07T00:00:01Z,-1,5\n2026-09-07 00:00:02,10,5\nnever,1,1\n2026-09-07T00:00:03Z,x,1\n"
    path = logged("a.csv", "t,i,o\n" + good + bad + "2026-09-07T00:00:04Z,1,1.5\n2026-09-07T00:00:05Z,1\n")
    duckdb, spark = _both(small_catalogue, path, columns={"time": "t", "input": "i", "output": "o"})
    assert spark.workloads == duckdb.workloads
    counts = [sorted((one.reason, one.count) for one in found.problems) for found in (duckdb, spark)]
    assert counts[0] == counts[1]
    assert sum(count for _, count in counts[0]) == 6
    named = {one.reason: one.examples for one in spark.problems}
    assert named["a number of tokens is negative"] == (f"{path} line 5",)


def test_reusable_prefixes_are_the_same(logged, small_catalogue):
    draw = np.random.default_rng(3)
    rows = [
        {"timestamp": n * 250, "input_length": 512 * k - 100, "output_length": n % 50 + 1, "hash_ids": ids[:k].tolist()}
        for n in range(400)
        for ids, k in [(np.arange(20) + 100 * draw.integers(0, 30), int(draw.integers(1, 20)))]
    ]
    duckdb, spark = _both(small_catalogue, logged("mooncake.jsonl", lines(rows)))
    assert spark == duckdb
    assert 0.5 < spark.workloads[0].reusable_share < 1


def test_the_price_of_a_log_is_the_same_to_the_last_digit(logged, small_catalogue, many):
    offers = sorted({(row.provider, row.model) for row in small_catalogue.tables.api_prices})[:2]
    named = dict(zip(("gpt-4o", "o4-mini"), offers, strict=True))
    path = logged("bedrock.jsonl", FORMS["bedrock.jsonl"](many))
    found = []
    for engine in ("duckdb", "spark"):
        tariffs = Tariffs(small_catalogue)
        with Log(Asked(paths=(path,), engine=engine)) as log:
            found.append(price(log, ["model", "day", "team"], tariffs, Names(tariffs.offers, named)))
    assert found[0].costs == found[1].costs
    assert found[0].total.usd > Decimal(0)
    assert dataclasses.replace(found[0], lines=()) == dataclasses.replace(found[1], lines=())


def test_without_java_the_message_names_the_step(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    with pytest.raises(SpecError, match="openjdk-17"):
        Spark()


def test_the_fixtures_are_json(many):
    assert len([json.loads(line) for line in FORMS["bedrock.jsonl"](many).splitlines()]) == ROWS
    assert many[0].at >= MONDAY
