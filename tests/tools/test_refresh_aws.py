"""Refreshing machine and service prices from the AWS price list, on recorded answers."""

import json
import sys
from copy import deepcopy
from datetime import date
from pathlib import Path

import msgspec
import pytest
from botocore.stub import Stubber

import refresh_prices

DAY = date(2026, 11, 25)
RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def aws():
    return json.loads((RECORDED / "aws-price-list.json").read_text(encoding="utf-8"))


def _pages(products, size=99):
    """Products as pages of ``GetProducts``, each but the last with the token of the next."""
    texts = [json.dumps(product) for product in products]
    parts = [texts[start : start + size] for start in range(0, max(len(texts), 1), size)]
    last = len(parts) - 1
    return [{"PriceList": part} | ({"NextToken": str(n)} if n < last else {}) for n, part in enumerate(parts)]


def _all_pages(aws, size=99):
    return {service: _pages(products, size) for service, products in aws.items()}


@pytest.fixture
def from_aws(run, aws):
    """The tool over a price list; ``change`` may spoil it first."""

    def ran(*flags, change=None, size=99):
        if change:
            change(aws)
        return run(*flags, aws=_all_pages(aws, size))

    return ran


def test_the_price_list_moves_machines_and_adds_those_it_knows(from_aws, rows):
    code, out, _ = from_aws("--write")
    assert code == 0
    assert "ml.g5.xlarge on-demand, us-east-1 | 1.006 -> 1.408 | the AWS price list" in out
    assert [(row["machine"], row["usd_per_hour"]) for row in rows("machine_prices", effective_from=str(DAY))] == [
        ("g4dn.xlarge", "0.526"),
        ("p5.48xlarge", "55.04"),
        ("ml.m5.xlarge", "0.23"),
        ("ml.g5.xlarge", "1.408"),
    ]
    (source,) = [row for row in rows("sources") if row["id"].startswith("aws-price-list-amazonsagemaker-2026-11-20-")]
    assert (source["kind"], source["read"]) == ("list_price", "2026-11-25")


def test_a_price_list_of_many_pages_reads_like_one_page(from_aws, rows):
    from_aws("--write", size=2)
    assert len(rows("machine_prices", effective_from=str(DAY))) == 4


def test_tiers_are_taken_as_a_whole_set_in_their_order(from_aws, rows):
    from_aws("--write")
    found = [
        (row["usd"], row["tier_from"], row["tier_to"])
        for row in rows("service_prices", item="duration x86_64", effective_from=str(DAY))
    ]
    assert found == [
        ("0.0000166667", "", "6000000000.0"),
        ("0.000015", "6000000000.0", "15000000000.0"),
        ("0.0000133334", "15000000000.0", ""),
    ]
    assert [row["usd"] for row in rows("service_prices", item="out to internet")] == [
        "0.09",
        "0.085",
        "0.07",
        "0.05",
    ]


def test_a_price_that_the_list_confirms_gets_no_second_row(from_aws, rows):
    from_aws("--write")
    assert len(rows("machine_prices", machine="g5.xlarge")) == 1
    assert len(rows("service_prices", item="HTTP API requests")) == 2


@pytest.mark.parametrize(
    "told",
    [
        "1 of reserved terms",
        "1 on the Spot market",
        "1 of Windows and other systems",
        "1 of dedicated tenancy",
        "1 with licensed software",
        "1 of capacity reservations",
        "1 of serverless inference, billed by the second",
        "1 of training, notebooks and other components",
        "1 machines that the catalogue does not hold",
        "2 of Lambda beyond requests and duration",
    ],
)
def test_what_is_not_for_us_is_passed_over_and_counted(from_aws, told):
    assert told in from_aws()[1]


def test_every_service_is_asked_for_its_region_and_no_more_than_is_wanted(folder, client, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        client,
        "get_paginator",
        lambda _: type("Pages", (), {"paginate": lambda _, **given: asked.append(given) or []})(),
    )
    arguments = ["--data", str(folder), "--day", str(DAY), "--aws", "--region", "eu-west-1"]
    assert refresh_prices.main(arguments, client) == 0
    filters = {one["ServiceCode"]: {f["Field"]: f["Value"] for f in one["Filters"]} for one in asked}
    assert list(filters) == ["AmazonEC2", "AmazonSageMaker", "AWSLambda", "AmazonApiGateway", "AWSDataTransfer"]
    assert filters["AmazonEC2"] == {
        "regionCode": "eu-west-1",
        "productFamily": "Compute Instance",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    assert filters["AWSDataTransfer"]["fromRegionCode"] == "eu-west-1"
    assert "ADDED: 0" in capsys.readouterr().out


def _step(aws, service, place):
    (term,) = aws[service][place]["terms"]["OnDemand"].values()
    return next(iter(term["priceDimensions"].values()))


@pytest.mark.parametrize(
    ("spoil", "said", "because"),
    [
        ({"unit": "Quarters"}, "{'USD': '1.0060000000'} per Quarters", "the unit is not one of Hrs"),
        ({"unit": "seconds"}, "{'USD': '1.0060000000'} per seconds", "the unit is not one of Hrs"),
        ({"pricePerUnit": {"CNY": "8.1"}}, "{'CNY': '8.1'} per Hrs", "not in US dollars"),
        ({"pricePerUnit": {"USD": "0.0000000000"}}, "{'USD': '0.0000000000'} per Hrs", "a price of $0: what a table"),
        ({"pricePerUnit": {"USD": "a lot"}}, "{'USD': 'a lot'} per Hrs", "not a price"),
        ({"pricePerUnit": {"USD": "NaN"}}, "{'USD': 'NaN'} per Hrs", "not a price"),
    ],
)
def test_an_unknown_unit_another_currency_and_no_price_are_refused(from_aws, spoil, said, because, rows):
    code, out, _ = from_aws("--write", change=lambda aws: _step(aws, "AmazonEC2", 0).update(spoil))
    assert code == 0
    assert f"ec2 g5.xlarge, us-east-1 | {said} | AWS price list AmazonEC2: {because}" in out
    assert len(rows("machine_prices", machine="g5.xlarge")) == 1
    assert len(rows("machine_prices", machine="g4dn.xlarge")) == 1, "the rest is taken"


@pytest.mark.parametrize("place", [0, 3])
def test_a_list_that_breaks_off_in_the_middle_of_a_page_gives_nothing_of_its_service(run, aws, place, rows):
    pages = _all_pages(aws, size=2)
    pages["AmazonEC2"][place]["PriceList"][1] = pages["AmazonEC2"][place]["PriceList"][1][:150]
    pages["AmazonEC2"] = pages["AmazonEC2"][: place + 1]
    code, out, _ = run("--write", aws=pages)
    assert code == 0
    told = f"its answer breaks off on page {place + 1}, entry 2: nothing of it is taken"
    assert f"all of AmazonEC2, us-east-1 | no whole price list | AWS price list AmazonEC2: {told}" in out
    assert len(rows("machine_prices", service="ec2")) == 1
    assert len(rows("machine_prices", machine="ml.g5.xlarge")) == 2, "other services are taken"


def test_a_call_that_fails_on_a_later_page_gives_nothing_of_its_service(folder, client, aws, capsys, rows):
    first, *_ = _pages(aws["AmazonEC2"], size=2)
    with Stubber(client) as stub:
        stub.add_response("get_products", first)
        stub.add_client_error("get_products", "ThrottlingException", "Rate exceeded")
        for service in list(aws)[1:]:
            stub.add_response("get_products", *_pages(aws[service]))
        code = refresh_prices.main(["--data", str(folder), "--day", str(DAY), "--aws", "--write"], client)
    assert code == 0
    assert "Rate exceeded" in " ".join(capsys.readouterr().out.split())
    assert len(rows("machine_prices", service="ec2")) == 1


def test_a_product_without_its_day_is_no_price_list(from_aws):
    out = from_aws(change=lambda aws: aws["AWSLambda"][0].pop("publicationDate"))[1]
    told = "AWS price list AWSLambda: it lacks 'publicationDate'"
    assert f"all of AWSLambda, us-east-1 | no whole price list | {told}" in out


def test_a_machine_at_two_prices_is_refused(from_aws, rows):
    def twice(aws):
        other = deepcopy(aws["AmazonEC2"][1])
        aws["AmazonEC2"].append(other)
        _step(aws, "AmazonEC2", -1)["pricePerUnit"]["USD"] = "0.5300000000"

    out = from_aws("--write", change=twice)[1]
    assert "g4dn.xlarge on-demand, us-east-1 | 0.526 and 0.53 | AWS price list AmazonEC2: it gives two prices" in out
    assert rows("machine_prices", machine="g4dn.xlarge") == []


def test_the_price_list_may_halve_a_price_tenfold_for_it_is_the_sellers_own(from_aws):
    out = from_aws("--write", change=lambda aws: _step(aws, "AmazonEC2", 0)["pricePerUnit"].update(USD="0.1"))[1]
    assert "g5.xlarge on-demand, us-east-1 | 1.006 -> 0.1 | the AWS price list" in out


def test_a_price_list_older_than_the_standing_price_is_stale(from_aws, tables, rows, put):
    newer = [msgspec.structs.replace(row, effective_from=date(2026, 11, 22)) for row in tables.machine_prices]
    put("machine_prices", newer)
    out = from_aws("--write")[1]
    assert "older than the standing price, which is of 2026-11-22" in out
    assert len(rows("machine_prices", machine="ml.g5.xlarge")) == 1


def test_without_boto3_the_extra_is_named(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert refresh_prices.main(["--data", str(folder), "--day", str(DAY), "--aws"]) == 2
    told = "--aws needs boto3, which is not installed. Expected: the extra `refresh`. Run `make install`."
    assert capsys.readouterr().err == f"refresh_prices: {told}\n"
