"""What the tests of the tools share: their folder on the path, and a catalogue in CSV files to be refreshed."""

import csv
import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import boto3
import msgspec
import pytest
from botocore.stub import Stubber

from breakeven.catalogue.schema import ApiOffer, ApiPrice, MachinePrice, ServicePrice

TOOLS = str(Path(__file__).parents[2] / "tools")
if TOOLS not in sys.path:
    sys.path.append(TOOLS)  # the tools are scripts, not a package

import build_catalogue  # noqa: E402
import refresh_prices  # noqa: E402
from refresh.show import sections, show  # noqa: E402

DAY = date(2026, 11, 25)
OFFERS = (
    ("openai/gpt-4o", "chat", {}),
    ("openai/text-embedding-3-small", "embedding", {}),
    ("anthropic/claude-sonnet-4-5", "chat", {}),
    ("anthropic/claude-sonnet-4-20250514", "chat", {}),
    ("mistral/mistral-large-4", "chat", {}),
    ("together/Qwen/Qwen3.7-Max", "chat", {}),
    ("deepseek/deepseek-flash", "chat", {}),
    ("xai/grok-gone", "chat", {"retired_on": date(2026, 5, 15)}),
)
ON = date(2026, 10, 20)


def _api(offer, kind, usd, **facts):
    provider, _, model = offer.partition("/")
    plain = {"tier": "standard", "effective_from": ON, "date_basis": "observed", "source": "by-hand"}
    return ApiPrice(provider=provider, model=model, token_kind=kind, usd_per_mtok=Decimal(usd), **plain | facts)


PRICES = (
    *(_api("openai/gpt-4o", kind, usd) for kind, usd in (("input", "2.5"), ("cached_input", "1.25"), ("output", "10"))),
    *(_api("openai/gpt-4o", kind, usd, tier="batch") for kind, usd in (("input", "1.25"), ("output", "5"))),
    _api("openai/text-embedding-3-small", "input", "0.02"),
    *(_api("anthropic/claude-sonnet-4-5", kind, usd) for kind, usd in (("input", "3"), ("output", "15"))),
    _api("anthropic/claude-sonnet-4-5", "input", "6", above_input_tokens=200_000, until=date(2026, 10, 21)),
    *(_api("anthropic/claude-sonnet-4-20250514", kind, usd) for kind, usd in (("input", "3"), ("output", "15"))),
    *(_api("mistral/mistral-large-4", kind, usd) for kind, usd in (("input", "1.36"), ("output", "4.18"))),
    *(_api("together/Qwen/Qwen3.7-Max", kind, usd) for kind, usd in (("input", "1.5"), ("output", "4.5"))),
    *(_api("deepseek/deepseek-flash", "input", usd, window=w) for usd, w in (("0.3", "peak"), ("0.15", "off_peak"))),
)


def _machine(name, usd, service="ec2", **facts):
    plain = {"region": "us-east-1", "term": "on-demand", "effective_from": date(2026, 1, 1), "date_basis": "observed"}
    return MachinePrice(machine=name, service=service, usd_per_hour=Decimal(usd), source="by-hand", **plain | facts)


def _service(service, item, unit, *tiers):
    plain = {"region": "us-east-1", "effective_from": date(2024, 7, 1), "date_basis": "observed", "source": "by-hand"}
    return tuple(
        ServicePrice(service=service, item=item, unit=unit, usd=Decimal(usd), tier_from=first, tier_to=last, **plain)
        for usd, first, last in tiers
    )


@pytest.fixture(scope="module")
def tables(small_catalogue):
    """The small catalogue with offers and prices that the recorded answers speak of."""
    plain = dict(zip(("provider", "model"), ("", ""), strict=True))
    offers = tuple(
        ApiOffer(**plain | dict(zip(plain, name.split("/", 1), strict=True)), mode=mode, source="by-hand", **facts)
        for name, mode, facts in OFFERS
    )
    return msgspec.structs.replace(
        small_catalogue.tables,
        api_offers=offers,
        api_prices=(*PRICES, _api("xai/grok-gone", "input", "1")),
        machine_prices=(_machine("g5.xlarge", "1.006"), _machine("ml.g5.xlarge", "1.006", "sagemaker")),
        service_prices=(
            *_service("apigateway", "HTTP API requests", "request", ("0.000001", 0, 3e8), ("0.0000009", 3e8, None)),
            *_service("lambda", "duration x86_64", "GB-second", ("0.0000166667", 0, None)),
        ),
        scores=tuple(msgspec.structs.replace(row, conditions="by hand") for row in small_catalogue.tables.scores),
    )


@pytest.fixture
def folder(tmp_path, tables):
    """The tables as CSV files."""
    data = tmp_path / "data"
    data.mkdir()
    for table in build_catalogue.TABLES:
        _put(data, table, getattr(tables, table))
    return data


@pytest.fixture
def put(folder):
    """Writes one file anew: ``put("machine_prices", rows)``."""
    return lambda table, rows: _put(folder, table, rows)


@pytest.fixture
def rows(folder):
    """The rows of one file, in its order, with the cells wanted: ``rows("api_prices", model="gpt-4o")``."""

    def read(table, **wanted):
        with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if all(row[name] == cell for name, cell in wanted.items())]

    return read


@pytest.fixture
def api_price():
    """An API price: ``api_price("openai/gpt-4o", "input", "2.5")``."""
    return _api


def _put(data, table, rows):
    kind = build_catalogue.TABLES[table]
    with (data / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(kind.__struct_fields__)
        writer.writerows([_cell(getattr(row, name)) for name in kind.__struct_fields__] for row in rows)


def _cell(value):
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="module")
def client():
    return boto3.client("pricing", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")


@pytest.fixture
def run(folder, tmp_path, capsys, client, monkeypatch):
    """The tool over the folder: exit code, what it shows (table lines as ``price | said | why``), complaints."""
    told = []

    def shown(outcome, *more):
        told[:] = [f"{line.what} | {line.said} | {line.because}" for one in sections(outcome).values() for line in one]
        show(outcome, *more)

    monkeypatch.setattr(refresh_prices, "show", shown)

    def ran(*flags, litellm=None, genai=None, aws=None, of="2026-11-24", day=DAY):
        arguments = ["--data", str(folder), "--day", str(day), "--top", "99", *flags]
        for name, table in (("litellm", litellm), ("genai-prices", genai)):
            if table is not None:
                path = tmp_path / f"{name}.json"
                path.write_text(json.dumps(table), encoding="utf-8")
                arguments += [f"--{name}", f"{path}@{of}"]
        with Stubber(client) as stub:
            for service in aws or ():
                for page in aws[service]:
                    stub.add_response("get_products", page)
            code = refresh_prices.main([*arguments, *(["--aws"] if aws else [])], client)
        out, err = capsys.readouterr()
        return code, "\n".join([*told, " ".join(out.split())]), err

    return ran
