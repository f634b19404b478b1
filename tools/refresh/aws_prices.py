"""The AWS Price List API: machines by the hour, Lambda, API Gateway and data transfer, in one region."""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Protocol

from breakeven.catalogue.schema import MachinePrice, PriceRow, ServicePrice
from breakeven.errors import SpecError
from refresh.quotes import FREE, Origin, Quote, Reading

Product = Mapping[str, Any]
Attributes = Mapping[str, str]
HOME = "us-east-1"
"""The region whose usage types carry no prefix, and where the API itself lives."""
NOT_FOR_US = (
    ("operatingSystem", "Linux", "of Windows and other systems"),
    ("preInstalledSw", "NA", "with licensed software"),
    ("tenancy", "Shared", "of dedicated tenancy"),
    ("capacitystatus", "Used", "of capacity reservations"),
    ("marketoption", "OnDemand", "on the Spot market"),
)
"""EC2: an attribute, the value wanted, and what the others are."""


class Pages(Protocol):
    """What a paginator of boto3 gives."""

    def paginate(self, **asked: Any) -> Iterable[Mapping[str, Any]]:  # noqa: ANN401 - as boto3 has it
        """The pages of an answer."""


class Client(Protocol):
    """The part of boto3's pricing client that is used."""

    def get_paginator(self, operation: str) -> Pages:
        """The paginator of an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a product is in the catalogue: a machine by the hour, or an item of a service."""

    service: str
    name: str
    unit: str


Sorted = Item | str
"""An item, or why a product is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of the price list: what is asked for, how a product is sorted, and the units it may have."""

    code: str
    asked: dict[str, str]
    sort: Callable[[str, Attributes], Sorted]
    units: dict[str, Decimal]
    """A unit of the price list: how many of the catalogue's units it is."""


class BrokenListError(ValueError):
    """An answer that breaks off or is not a price list: nothing of it is taken."""


def _ec2(_family: str, attributes: Attributes) -> Sorted:
    for attribute, wanted, others in NOT_FOR_US:
        if attributes.get(attribute, wanted) != wanted:
            return others
    if "SpotUsage" in attributes.get("usagetype", ""):
        return "on the Spot market"
    return Item(service="ec2", name=attributes.get("instanceType", ""), unit="hour")


def _sagemaker(family: str, attributes: Attributes) -> Sorted:
    if "Serverless" in family or "ServerlessInf" in attributes.get("usagetype", ""):
        return "of serverless inference, billed by the second"
    if attributes.get("component") != "Hosting":
        return "of training, notebooks and other components"
    return Item(service="sagemaker", name=attributes.get("instanceName", ""), unit="hour")


def _lambda(_family: str, attributes: Attributes) -> Sorted:
    items = {
        "Lambda-GB-Second": "duration x86_64",
        "Lambda-GB-Second-ARM": "duration arm64",
        "Request": "requests",
    }
    name = items.get(_without_region(attributes.get("usagetype", "")))
    if name is None or attributes.get("group", "").startswith("AWS-Lambda-Edge"):
        return "of Lambda beyond requests and duration"
    return Item(service="lambda", name=name, unit="request" if name == "requests" else "GB-second")


def _gateway(_family: str, attributes: Attributes) -> Sorted:
    items = {"ApiGatewayRequest": "REST API requests", "ApiGatewayHttpRequest": "HTTP API requests"}
    name = items.get(_without_region(attributes.get("usagetype", "")))
    return Item(service="apigateway", name=name, unit="request") if name else "of API Gateway beyond requests"


def _transfer(_family: str, attributes: Attributes) -> Sorted:
    out = _without_region(attributes.get("usagetype", "")) == "DataTransfer-Out-Bytes"
    if not out or attributes.get("toLocation", "External") != "External":
        return "of data transfer that does not go to the internet"
    return Item(service="data-transfer", name="out to internet", unit="GB")


def _without_region(usage: str) -> str:
    """A usage type without the prefix of its region; what holds for the whole account keeps its own.

    >>> [_without_region(usage) for usage in ("USE1-ApiGatewayRequest", "Lambda-GB-Second", "Global-Request")]
    ['ApiGatewayRequest', 'Lambda-GB-Second', 'Global-Request']
    """
    prefix, _, rest = usage.partition("-")
    return rest if rest and prefix.isupper() else usage


HOURS = {"Hrs": Decimal(1), "hours": Decimal(1), "Hours": Decimal(1), "hrs": Decimal(1)}
SECONDS = {"Lambda-GB-Second": Decimal(1), "GB-Second": Decimal(1), "Second": Decimal(1), "Requests": Decimal(1)}
SERVICES = (
    Service(
        code="AmazonEC2",
        asked={
            "productFamily": "Compute Instance",
            "operatingSystem": "Linux",
            "preInstalledSw": "NA",
            "tenancy": "Shared",
            "capacitystatus": "Used",
        },
        sort=_ec2,
        units=HOURS,
    ),
    Service(code="AmazonSageMaker", asked={"component": "Hosting"}, sort=_sagemaker, units=HOURS),
    Service(code="AWSLambda", asked={"productFamily": "Serverless"}, sort=_lambda, units=SECONDS),
    Service(
        code="AmazonApiGateway", asked={"productFamily": "API Calls"}, sort=_gateway, units={"Requests": Decimal(1)}
    ),
    Service(code="AWSDataTransfer", asked={"transferType": "AWS Outbound"}, sort=_transfer, units={"GB": Decimal(1)}),
)


def client() -> Client:
    """The pricing client of boto3, with whatever credentials the machine has.

    Raises:
        SpecError: if boto3 is not installed.
    """
    try:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as wrong:
        raise SpecError(
            "--aws needs boto3, which is not installed", expected="the extra `refresh`", do="Run `make install`"
        ) from wrong
    made: Client = boto3.client("pricing", region_name=HOME)
    return made


def read(asked: Client, region: str, day: date, machines: Container[str]) -> list[Reading]:
    """A reading of each service; one whose answer breaks off, on whatever page, gives no quote at all."""
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

    readings = []
    for service in SERVICES:
        try:
            readings.append(_service(service, list(_products(asked, service, region)), region, day, machines))
        except (BotoCoreError, ClientError, LookupError, TypeError, ValueError, ArithmeticError) as wrong:
            reading = Reading(origin=_origin(service, day, day))
            said = str(wrong) if not isinstance(wrong, LookupError) else f"it lacks {wrong}"
            reading.refuse(f"all of {service.code}, {region}", "no whole price list", said)
            readings.append(reading)
    return readings


def _products(asked: Client, service: Service, region: str) -> Iterator[Product]:
    """Every product of every page."""
    place = "fromRegionCode" if service.code == "AWSDataTransfer" else "regionCode"
    wanted = {place: region, **service.asked}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    pages = asked.get_paginator("get_products").paginate(ServiceCode=service.code, Filters=filters)
    for number, page in enumerate(pages, start=1):
        for place_on_page, text in enumerate(page.get("PriceList", ()), start=1):
            try:
                yield json.loads(text)
            except ValueError as wrong:
                raise BrokenListError(
                    f"its answer breaks off on page {number}, entry {place_on_page}: nothing of it is taken"
                ) from wrong


def _origin(service: Service, published: date, day: date) -> Origin:
    return Origin(
        name=f"AWS price list {service.code}",
        title=f"AWS Price List API, {service.code}, as published on {published}",
        published=published,
        read=day,
        kind="list_price",
    )


def _service(service: Service, products: list[Product], region: str, day: date, machines: Container[str]) -> Reading:
    published = [date.fromisoformat(str(product["publicationDate"])[:10]) for product in products]
    reading = Reading(origin=_origin(service, max(published, default=day), day))
    for product in products:
        described = product["product"]
        attributes = described.get("attributes", {})
        item = service.sort(described.get("productFamily", ""), attributes)
        reading.passed_over["of reserved terms"] += len(product.get("terms", {}).get("Reserved", {}))
        if isinstance(item, str):
            reading.passed_over[item] += 1
        elif item.unit == "hour" and item.name.removeprefix("ml.") not in machines:
            reading.passed_over["machines that the catalogue does not hold"] += 1
        else:
            _quote(product, item, service, region, reading)
    reading.settle()
    return reading


def _quote(product: Product, item: Item, service: Service, region: str, reading: Reading) -> None:
    what = f"{item.service} {item.name}, {region}"
    steps = [
        step
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for step in term["priceDimensions"].values()
    ]
    rows: list[PriceRow] = []
    for step in sorted(steps, key=lambda step: Decimal(str(step.get("beginRange", "0")))):
        per_unit, wrong = _price(step, service)
        if wrong:
            reading.refuse(what, f"{step.get('pricePerUnit')} per {step.get('unit')}", wrong)
            return
        rows.append(_row(item, step, per_unit, region, reading.origin))
    if rows:
        reading.quotes.append(Quote(rows=tuple(rows), origin=reading.origin))


def _price(step: Mapping[str, Any], service: Service) -> tuple[Decimal, str]:
    """USD per unit of the catalogue, or why it is not believed."""
    units = service.units.get(str(step.get("unit")))
    said = step.get("pricePerUnit", {})
    if units is None:
        return Decimal(0), f"the unit is not one of {', '.join(service.units)}"
    if "USD" not in said:
        return Decimal(0), "not in US dollars"
    try:
        usd = Decimal(said["USD"]) / units
    except InvalidOperation:
        return Decimal(0), "not a price"
    if not usd.is_finite() or usd < 0:
        return Decimal(0), "not a price"
    return usd.normalize(), "" if usd else FREE


def _row(item: Item, step: Mapping[str, Any], usd: Decimal, region: str, origin: Origin) -> PriceRow:
    observed: Literal["observed"] = "observed"
    if item.unit == "hour":
        return MachinePrice(
            machine=item.name,
            service=item.service,  # type: ignore[arg-type]
            region=region,
            term="on-demand",
            usd_per_hour=usd,
            effective_from=origin.read,
            date_basis=observed,
            source=origin.id,
        )
    ends = str(step.get("endRange", "Inf"))
    return ServicePrice(
        service=item.service,
        item=item.name,
        unit=item.unit,
        region=region,
        usd=usd,
        effective_from=origin.read,
        date_basis=observed,
        tier_from=float(step.get("beginRange", 0)),
        tier_to=None if ends == "Inf" else float(ends),
        source=origin.id,
    )
