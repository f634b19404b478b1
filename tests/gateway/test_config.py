"""gateway.yaml and plans become rules, or are refused with the line, the field and what to do."""

import json
import os
from decimal import Decimal

import pytest

from breakeven.errors import SpecError
from breakeven.gateway.config import GatewayFile, UpstreamEntry, address, read_config
from breakeven.gateway.credentials import Credential, from_environment, from_file
from breakeven.gateway.from_plan import read_plan
from breakeven.gateway.providers import base_url, base_urls
from breakeven.gateway.rules import rules_of, with_flags

HOST = "host:m:fp8:g6e.xlarge:tp1:ec2"
OWN_URL = "http://10.0.0.5:8000/v1"


def verdict(option, kind, **parts):
    """What a plan says of one option, as far as routing reads it, and fields that it does not."""
    line = {"name": "machines", "quantity": 72, "unit": "machine-hour", "usd_per_unit": 1.5, "usd": 108, "source": []}
    return {
        "rank": 1,
        "option": {"id": option, "kind": kind, "model": "m", "provider": "p", "tier": "standard",
                   "machine": "g6e.xlarge", "replicas_per_machine": 2},
        "bill": {"usd_per_day": 108, "lines": [line] if kind != "api" else []},
        "performance": {"ttft_s": None, "largest_concurrency": 39 if kind != "api" else None},
        "capacity": {"replicas_by_hour": [2, 4, 2] if kind != "api" else []},
        "hybrid": None,
        **parts,
    }  # fmt: skip


@pytest.fixture
def plan(tmp_path):
    """Writes a plan of these verdicts."""

    def written(*verdicts, winner=None, version="1.0"):
        path = tmp_path / "plan.json"
        path.write_text(json.dumps({"schema_version": version, "winner": winner, "verdicts": verdicts}))
        return path

    return written


def test_own_machines_of_a_plan_bring_concurrency_and_price(plan):
    found = read_plan(plan(verdict(HOST, "hosted"), winner=HOST))
    assert found.upstreams == {"own": UpstreamEntry(concurrency=39, usd_per_hour=Decimal("0.75"))}
    assert (found.model, found.replicas, found.machine) == ("m", 4, "g6e.xlarge")


def test_an_api_of_a_plan_brings_provider_model_and_tier(plan):
    found = read_plan(plan(verdict("api:openai/gpt-4o@flex", "api")), "api:openai/gpt-4o@flex")
    assert found.upstreams == {"api": UpstreamEntry(provider="openai", model="gpt-4o", tier="flex")}


def test_a_hybrid_asks_own_machines_first_and_the_api_for_what_overflows(plan):
    hybrid = verdict("hybrid:x", "hybrid", hybrid={"overflow_to": "api:deepinfra/openai/gpt-oss-120b"})
    planned = read_plan(plan(hybrid, winner="hybrid:x"))
    rules = rules_of(with_flags(GatewayFile(), (OWN_URL,), None), planned)
    own, api = rules.routes["m"].targets
    assert (own.concurrency, own.usd_per_hour, own.replicas[0].url) == (39, Decimal("0.75"), OWN_URL)
    assert (api.provider, api.model, api.concurrency) == ("deepinfra", "openai/gpt-oss-120b", None)
    assert api.replicas[0].url == "https://api.deepinfra.com/v1/openai"


def test_what_the_file_states_wins_over_the_plan_field_by_field(plan):
    planned = read_plan(plan(verdict(HOST, "hosted"), winner=HOST))
    stated = UpstreamEntry(urls=(OWN_URL, "http://10.0.0.6:8000/v1"), concurrency=8, model="org/m")
    file = GatewayFile(upstreams={"own": stated}, models={"chat": ("own",)})
    (own,) = rules_of(file, planned).routes["chat"].targets
    assert (own.concurrency, own.usd_per_hour, own.model) == (8, Decimal("0.75"), "org/m")
    assert [replica.name for replica in own.replicas] == ["own/1", "own/2"]


def test_the_plan_of_a_real_comparison_can_be_routed_by(tmp_path, shipped):
    from datetime import date
    from pathlib import Path

    import msgspec

    from breakeven.planner import plan
    from breakeven.report.document import plan_document, to_json
    from breakeven.workload.policy import Only
    from breakeven.workload.spec import read_specs

    (spec,) = read_specs(Path(__file__).parents[2] / "examples" / "chat-assistant.yaml")
    only = Only(providers=("openai",), machines=("g6e.xlarge",), models=("gpt-*", "qwen3-30b-a3b"))
    policy = msgspec.structs.replace(spec.policy(), as_of=date(2026, 11, 1), only=only)
    made = plan(spec.workload({name: row.weights for name, row in shipped.profiles.items()}), shipped, policy)
    path = tmp_path / "plan.json"
    path.write_bytes(to_json((plan_document(made),)))
    for verdict in made.verdicts(10):
        planned = read_plan(path, verdict.option.id)
        file = with_flags(GatewayFile(), (OWN_URL,) if planned.replicas else (), None)
        (found,) = rules_of(file, planned).targets
        if verdict.option.kind == "api":
            assert f"api:{found.provider}/{found.model}" == verdict.option.id.partition("@")[0]
        else:
            assert found.concurrency == verdict.performance.largest_concurrency
            assert planned.replicas == max(verdict.capacity.replicas_by_hour)
            assert found.usd_per_hour * 24 * planned.replicas <= verdict.bill.usd_per_day
    assert {verdict.option.kind for verdict in made.verdicts(10)} == {"api", "hosted"}


@pytest.mark.parametrize(
    ("verdicts", "winner", "option", "says"),
    [
        ([verdict(HOST, "hosted")], None, None, "no winner"),
        ([verdict(HOST, "hosted")], HOST, HOST[:-1], f"Did you mean: {HOST}"),
        ([verdict("cascade:x", "cascade")], "cascade:x", None, "is a cascade"),
    ],
)
def test_a_plan_that_cannot_be_routed_by_says_why(plan, verdicts, winner, option, says):
    with pytest.raises(SpecError, match=says):
        read_plan(plan(*verdicts, winner=winner), option)


def test_what_is_no_plan_is_told(plan, tmp_path):
    with pytest.raises(SpecError, match=r"follows schema 2\.0"):
        read_plan(plan(verdict(HOST, "hosted"), winner=HOST, version="2.0"))
    other = tmp_path / "other.json"
    other.write_text("[]")
    with pytest.raises(SpecError, match="is no plan of one workload"):
        read_plan(other)
    with pytest.raises(SpecError, match="cannot be read"):
        read_plan(tmp_path / "nowhere.json")


def test_a_plan_without_addresses_says_how_many_are_missing(plan):
    planned = read_plan(plan(verdict(HOST, "hosted"), winner=HOST))
    with pytest.raises(SpecError, match=r"runs 4 replicas on g6e.xlarge.*--own-url"):
        rules_of(GatewayFile(), planned)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("upstreams: {own: {tyer: flex}}", r"line 1.*tyer.*Did you mean: tier"),
        ("upstreams:\n  own:\n    concurrency: 0", r"line 3.*concurrency.*more than 0"),
        ("limits:\n  body_bytes: lots", r"line 2, limits.body_bytes: this is the text 'lots'"),
        ("upstreams: {a: {key_env: A, key_file: b}}", "both given"),
        ("upstreams: {a: {url: http://x, urls: [http://y]}}", "both given"),
        ("routing: {attempts: 0}", "1 or more"),
        ("a: 1\n---\nb: 2", "no such field"),
    ],
)
def test_a_slip_in_the_file_is_told_with_its_line(refused, text, says):
    import re

    assert re.search(says, refused(text, read_config), re.DOTALL)


@pytest.mark.parametrize(
    ("upstreams", "models", "says"),
    [
        ({}, {}, "no model to serve"),
        ({"own": UpstreamEntry(url="http://x")}, {"chat": ("onw",)}, "Did you mean: own"),
        ({"own": UpstreamEntry()}, {"chat": ("own",)}, "has no address"),
        ({"own": UpstreamEntry(url="http://x")}, {"chat": ()}, "names nobody"),
        ({"api": UpstreamEntry(provider="aws-bedrock")}, {"chat": ("api",)}, "where aws-bedrock answers is not known"),
        ({"own": UpstreamEntry(url="ftp://x")}, {"chat": ("own",)}, "http:// or https://"),
        ({"own": UpstreamEntry(url="http://x/v1?a=b")}, {"chat": ("own",)}, "has a query"),
        ({"own": UpstreamEntry(url="http://x", key_env="NO_SUCH_KEY")}, {"chat": ("own",)}, "NO_SUCH_KEY is not set"),
        ({"own": UpstreamEntry(url="http://x", key_file="nowhere")}, {"chat": ("own",)}, "cannot be read"),
    ],
)
def test_what_cannot_be_routed_by_is_refused_before_the_first_request(upstreams, models, says):
    with pytest.raises(SpecError, match=says):
        rules_of(GatewayFile(upstreams=upstreams, models=models))


@pytest.mark.parametrize("name", ["Authorization", "content-length", "host", "x y", ""])
def test_headers_that_would_break_a_request_or_leak_a_key_cannot_be_passed_on(name):
    file = GatewayFile(
        upstreams={"own": UpstreamEntry(url="http://x")}, models={"chat": ("own",)}, pass_headers=("x-tenant", name)
    )
    with pytest.raises(SpecError, match="pass_headers names"):
        rules_of(file)


def test_a_password_in_an_address_is_refused_and_not_shown():
    entry = UpstreamEntry(url="https://user:hunter2@example.org")
    with pytest.raises(SpecError) as wrong:
        rules_of(GatewayFile(upstreams={"own": entry}, models={"chat": ("own",)}))
    assert "hunter2" not in str(wrong.value)


def test_a_credential_is_shown_by_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", " sk-secret\n")
    found = from_environment("SOME_KEY")
    assert found.bearer() == "Bearer sk-secret"
    assert "sk-secret" not in f"{found} {found!r} {[found]}"
    file = tmp_path / "key"
    file.write_text("sk-filed\n")
    assert from_file(file).reveal() == "sk-filed"
    assert repr(Credential("x", source="here")) == "Credential(from here)"


@pytest.mark.parametrize("content", ["", "two lines\nhere", "sk-ü"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(SpecError) as wrong:
        from_file(file)
    assert "lines" not in str(wrong.value)
    assert "ü" not in str(wrong.value)


def test_a_key_that_is_not_set_is_told_with_near_names(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert "OPENAI_API_KEI" not in os.environ
    with pytest.raises(SpecError, match="Did you mean: OPENAI_API_KEY"):
        from_environment("OPENAI_API_KEI")


def test_every_known_provider_has_prices_in_the_catalogue_and_an_address_with_a_source(shipped):
    import csv
    from datetime import date
    from importlib import resources

    sold = {offer.provider for offer in shipped.tables.api_offers}
    assert set(base_urls()) <= sold
    text = resources.files("breakeven.gateway").joinpath("providers.csv").read_text()
    for row in csv.DictReader(text.splitlines()):
        assert row["base_url"].startswith("https://")
        assert len(row["source"]) > 10
        assert date.fromisoformat(row["read"]) <= date.today()
    assert base_url("api", "openai") == "https://api.openai.com/v1"


@pytest.mark.parametrize("listen", ["8080", "localhost", "localhost:http", "1.2.3.4:70000"])
def test_an_address_is_a_host_and_a_port(listen):
    assert address("localhost:0") == ("localhost", 0)
    with pytest.raises(SpecError, match="host:port"):
        address(listen)
