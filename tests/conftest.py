"""Fixtures that all tests share: a small catalogue made by hand, and the stages of a plan over it.

The small catalogue never changes with the market, so a test can write out its arithmetic. Its figures are round
or well known; its names are fictitious where its prices are.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings

from breakeven.capacity.sizing import Sizing, machine_pairs, size
from breakeven.catalogue import schema
from breakeven.catalogue.load import Catalogue, Snapshot, index, load_catalogue
from breakeven.catalogue.tables import CatalogueFile
from breakeven.cost.hosting import HostedCosts, HostedOptions, hosted_costs, hosted_options
from breakeven.errors import BreakevenError, SpecError
from breakeven.evidence import Source
from breakeven.options.hosted import HostedGrid, hosted_grid
from breakeven.options.names import check_names
from breakeven.options.quality import Quality, quality_of
from breakeven.options.ruling import Ruling
from breakeven.performance.calibration import Overheads, Parameters, typical_parameters
from breakeven.performance.footprint import Footprint
from breakeven.performance.measured import COLUMNS
from breakeven.performance.predict import Speed, predict
from breakeven.planner import Plan, plan
from breakeven.planner.ranges import ranges
from breakeven.planner.spread import Ranges
from breakeven.workload.policy import Only, Policy
from breakeven.workload.profile import Workload

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")

TODAY = date(2026, 6, 1)
"""The newest day that the small catalogue knows."""
GENERATIONS = ("turing", "ampere_c", "hopper")


def _model(name: str, kind: str = "decoder", **facts: Any) -> schema.ModelSpec:
    """An open model; what a test does not care about is that of a plain dense decoder."""
    plain: dict[str, Any] = {
        "family": name.split("-", maxsplit=1)[0],
        "released": date(2023, 1, 1),
        "released_source": "by-hand",
        "licence": "apache-2.0",
        "licence_source": "by-hand",
        "weights_public": True,
        "params_in_experts": 0,
        "encoder_layers": 0,
        "max_context": 131_072,
        "experts": 0,
        "experts_per_token": 0,
        "full_attention_layers": facts["layers"] if kind != "encoder" else 0,
        "windowed_layers": 0,
        "window_tokens": 0,
        "latent_kv": False,
        "tied_embeddings": False,
        "native_format": "bf16",
        "params_active": facts["params_total"],
        "kv_elements_per_token_layer": 2 * facts["kv_heads"] * facts["head_dim"] if kind != "encoder" else 0,
        "source": "by-hand",
    }
    return schema.ModelSpec(name=name, kind=kind, **plain | facts)  # type: ignore[arg-type]


LATENT: dict[str, Any] = {
    "params_total": 16_000_000_000,
    "params_active": 2_400_000_000,
    "params_in_experts": 14_000_000_000,
    "experts": 64,
    "experts_per_token": 6,
    "hidden_size": 2048,
    "attention_heads": 16,
    "kv_heads": 16,
    "head_dim": 192,
    "vocab": 102_400,
    "latent_kv": True,
    "kv_elements_per_token_layer": 576,
}
MODELS = (
    _model(
        "llama-8b",
        released=date(2024, 4, 18),
        licence="llama",
        params_total=8_030_261_248,
        layers=32,
        hidden_size=4096,
        attention_heads=32,
        kv_heads=8,
        head_dim=128,
        vocab=128_256,
    ),
    _model(
        "llama-70b",
        released=date(2024, 4, 18),
        licence="llama",
        params_total=70_553_706_496,
        layers=80,
        hidden_size=8192,
        attention_heads=64,
        kv_heads=8,
        head_dim=128,
        vocab=128_256,
    ),
    _model(
        "mixtral-8x7b",
        released=date(2023, 12, 11),
        params_total=46_702_792_704,
        params_active=12_879_925_248,
        params_in_experts=45_097_156_608,
        experts=8,
        experts_per_token=2,
        layers=32,
        hidden_size=4096,
        attention_heads=32,
        kv_heads=8,
        head_dim=128,
        vocab=32_000,
        max_context=32_768,
    ),
    _model(  # latent attention, narrow experts, and windows: three shapes of KV cache in two models
        "latent-16b",
        released=date(2024, 5, 6),
        layers=27,
        **LATENT,
    ),
    _model(
        "window-20b",
        released=date(2025, 8, 5),
        params_total=20_900_000_000,
        params_active=3_600_000_000,
        params_in_experts=19_100_000_000,
        experts=32,
        experts_per_token=4,
        layers=24,
        hidden_size=2880,
        attention_heads=64,
        kv_heads=8,
        head_dim=64,
        vocab=201_088,
        full_attention_layers=12,
        windowed_layers=12,
        window_tokens=128,
        native_format="mxfp4",
    ),
    _model(  # an indexer in half of the layers selects what all of them read
        "selecting-16b",
        released=date(2025, 12, 1),
        layers=20,
        **LATENT,
        full_attention_layers=0,
        selecting_layers=20,
        selected_tokens=2048,
        index_layers=10,
        index_heads=64,
        index_head_dim=128,
    ),
    _model(
        "flan-ul2",
        kind="encoder-decoder",
        released=date(2023, 3, 2),
        params_total=19_591_209_984,
        layers=32,
        encoder_layers=32,
        hidden_size=4096,
        attention_heads=16,
        kv_heads=16,
        head_dim=256,
        vocab=32_128,
        max_context=2048,
    ),
    _model(
        "bert-base",
        kind="encoder",
        released=date(2018, 10, 31),
        params_total=109_482_240,
        layers=12,
        encoder_layers=12,
        hidden_size=768,
        attention_heads=12,
        kv_heads=12,
        head_dim=64,
        vocab=30_522,
        max_context=512,
        tied_embeddings=True,
    ),
    _model(
        "closed-7b",
        weights_public=False,
        params_total=7_000_000_000,
        layers=32,
        hidden_size=4096,
        attention_heads=32,
        kv_heads=32,
        head_dim=128,
        vocab=32_000,
    ),
    _model(
        "undated-7b",
        released=None,
        params_total=7_000_000_000,
        layers=32,
        hidden_size=4096,
        attention_heads=32,
        kv_heads=32,
        head_dim=128,
        vocab=32_000,
    ),
    _model(
        "future-7b",
        released=date(2026, 5, 1),
        params_total=7_000_000_000,
        layers=32,
        hidden_size=4096,
        attention_heads=32,
        kv_heads=32,
        head_dim=128,
        vocab=32_000,
    ),
)


def _accelerator(name: str, generation: str, **facts: Any) -> schema.Accelerator:
    return schema.Accelerator(
        name=name, vendor="nvidia", generation=generation, fp4_dense_tflops=0.0, source="by-hand", **facts
    )


ACCELERATORS = (
    _accelerator(
        "T4",
        "turing",
        memory_gib=16.0,
        bandwidth_gb_per_s=320.0,
        bf16_dense_tflops=65.0,
        fp8_dense_tflops=0.0,
        int8_dense_tops=130.0,
        link_kind="pcie",
        link_gb_per_s_one_way=None,
    ),
    _accelerator(
        "A10G",
        "ampere_c",
        memory_gib=24.0,
        bandwidth_gb_per_s=600.0,
        bf16_dense_tflops=70.0,
        fp8_dense_tflops=0.0,
        int8_dense_tops=140.0,
        link_kind="pcie",
        link_gb_per_s_one_way=32.0,
    ),
    _accelerator(
        "H100",
        "hopper",
        memory_gib=80.0,
        bandwidth_gb_per_s=3350.0,
        bf16_dense_tflops=989.0,
        fp8_dense_tflops=1979.0,
        int8_dense_tops=1979.0,
        link_kind="nvlink",
        link_gb_per_s_one_way=450.0,
    ),
    _accelerator(
        "Riddle",
        "hopper",
        memory_gib=80.0,
        bandwidth_gb_per_s=None,
        bf16_dense_tflops=None,
        fp8_dense_tflops=None,
        int8_dense_tops=None,
        link_kind="nvlink",
        link_gb_per_s_one_way=None,
    ),
)
CPUS = (
    schema.Cpu(
        name="Xeon 8175M",
        microarchitecture="Skylake-SP",
        cores_per_socket=24,
        threads_per_core=2,
        memory_bandwidth_gb_per_s=128.0,
        clock_ghz=2.5,
        fp32_flops_per_core_per_cycle=64.0,
        bf16_flops_per_core_per_cycle=None,
        source="by-hand",
    ),
)


def _instance(name: str, accelerator: str | None, count: int, **facts: Any) -> schema.Instance:
    plain: dict[str, Any] = {
        "vcpus": 4,
        "memory_gib": 16.0,
        "accelerator_memory_gib_total": None,
        "cpu": "Xeon 8175M",
        "interconnect": "none",
        "local_nvme_gb": 250.0,
        "sagemaker_endpoint": True,
        "source": "by-hand",
    }
    return schema.Instance(name=name, accelerator=accelerator, accelerator_count=count, **plain | facts)


INSTANCES = (
    _instance("g4dn.xlarge", "T4", 1),
    _instance("g5.xlarge", "A10G", 1),
    _instance("g5.12xlarge", "A10G", 4, interconnect="pcie"),
    _instance("p5.48xlarge", "H100", 8, interconnect="nvlink"),
    _instance("m5.xlarge", None, 0, local_nvme_gb=0.0),
    _instance("r1.large", "Riddle", 1),
    _instance("g5.metal", "A10G", 1, sagemaker_endpoint=False),
)


def _hourly(machine: str, usd: str, since: str, term: str = "on-demand") -> schema.MachinePrice:
    return schema.MachinePrice(
        machine=machine,
        service="sagemaker" if machine.startswith("ml.") else "ec2",
        region="us-east-1",
        term=term,  # type: ignore[arg-type]
        usd_per_hour=Decimal(usd),
        effective_from=date.fromisoformat(since),
        date_basis="observed",
        source="by-hand",
    )


MACHINE_PRICES = (
    _hourly("g4dn.xlarge", "0.526", "2022-01-01"),
    _hourly("g5.xlarge", "1.006", "2022-01-01"),
    _hourly("g5.xlarge", "0.634", "2022-01-01", "reserved-1y"),
    _hourly("g5.12xlarge", "5.672", "2022-01-01"),
    _hourly("m5.xlarge", "0.192", "2022-01-01"),
    _hourly("r1.large", "1.00", "2022-01-01"),
    _hourly("ml.g5.xlarge", "1.408", "2022-01-01"),
    _hourly("ml.m5.xlarge", "0.23", "2022-01-01"),
    _hourly("p5.48xlarge", "98.32", "2023-07-26"),
    _hourly("p5.48xlarge", "55.04", "2025-06-01"),
)  # g5.metal, ml.g4dn.xlarge, ml.p5.48xlarge and others have none


def _service(service: str, item: str, unit: str, *tiers: tuple[str, float, float | None]) -> list[schema.ServicePrice]:
    return [
        schema.ServicePrice(
            service=service,
            item=item,
            unit=unit,
            region="us-east-1",
            usd=Decimal(usd),
            effective_from=date(2022, 1, 1),
            date_basis="observed",
            tier_from=low,
            tier_to=high,
            source="by-hand",
        )
        for usd, low, high in tiers
    ]


SERVICE_PRICES = (
    *_service("apigateway", "HTTP API requests", "request", ("0.000001", 0, 300e6), ("0.0000009", 300e6, None)),
    *_service("apigateway", "REST API requests", "request", ("0.0000035", 0, 333e6), ("0.0000028", 333e6, None)),
    *_service("lambda", "duration arm64", "GB-second", ("0.0000133334", 0, None)),
    *_service("lambda", "duration x86_64", "GB-second", ("0.0000166667", 0, None)),
    *_service("lambda", "requests", "request", ("0.0000002", 0, None)),
    *_service("data-transfer", "out to internet", "GB", ("0.09", 0, 10_240), ("0.085", 10_240, None)),
    *_service("sagemaker", "data processed", "GB", ("0.016", 0, None)),
    *_service("sagemaker", "hosting storage", "GB-month", ("0.112", 0, None)),
    *_service("ebs", "gp3 storage", "GB-month", ("0.08", 0, None)),
    *_service("cloudwatch-logs", "ingestion", "GB", ("0.5", 0, None)),
)


def _format(name: str, bits: float, compute: str, generations: tuple[str, ...], **facts: Any) -> schema.NumberFormat:
    return schema.NumberFormat(
        name=name,
        weight_bits=bits,
        compute=compute,  # type: ignore[arg-type]
        generations=generations,
        source="by-hand",
        **facts,
    )


FORMATS = (
    _format("fp32", 32, "fp32", ("cpu",)),
    _format("bf16", 16, "bf16", GENERATIONS),
    _format("fp8", 8, "fp8", ("hopper",)),
    _format("int8", 8, "int8", GENERATIONS),
    _format("int4", 4.25, "bf16", GENERATIONS),
    _format("mxfp4", 4.25, "bf16", ("hopper",), experts_only=True),
    _format("w8a16", 8, "bf16", GENERATIONS),
)


def _engine(name: str, version: str, released: date, serves: tuple[str, ...], **facts: Any) -> schema.Engine:
    plain: dict[str, Any] = {
        "overheads": "vllm-v1",
        "generations": GENERATIONS,
        "formats": ("bf16", "fp8", "int8", "int4", "mxfp4"),
        "continuous_batching": True,
    }
    return schema.Engine(
        name=name,
        version=version,
        released=released,
        serves=serves,  # type: ignore[arg-type]
        source="by-hand",
        **plain | facts,
    )


ENGINES = (
    _engine(
        "transformers",
        "4.0",
        date(2020, 11, 30),
        ("decoder", "encoder", "encoder-decoder"),
        overheads="early",
        generations=(*GENERATIONS, "cpu"),
        formats=("bf16", "fp32", "w8a16"),
        continuous_batching=False,
    ),
    _engine("vllm", "0.1", date(2023, 6, 20), ("decoder",), overheads="vllm-v0", formats=("bf16",)),
    _engine("vllm", "0.8", date(2025, 3, 18), ("decoder",)),
)


def _path(name: str, service: str, limit: float | None, streams: bool, **facts: Any) -> schema.ServingPath:
    plain: dict[str, Any] = {"available_from": None, "uses_lambda": False, "gateway_item": None}
    return schema.ServingPath(
        name=name,
        service=service,  # type: ignore[arg-type]
        response_limit_s=limit,
        streams=streams,
        source="by-hand",
        **plain | facts,
    )


PATHS = (
    _path("direct", "sagemaker", None, True),
    _path("lambda-http", "sagemaker", 30.0, False, uses_lambda=True, gateway_item="HTTP API requests"),
    _path(
        "lambda-rest-stream",
        "sagemaker",
        900.0,
        True,
        uses_lambda=True,
        gateway_item="REST API requests",
        available_from=date(2025, 11, 19),
    ),
    _path("ec2", "ec2", None, True),
    _path("own", "own", None, True),
)


def _offer(provider: str, model: str, **facts: Any) -> schema.ApiOffer:
    return schema.ApiOffer(provider=provider, model=model, source="by-hand", **{"mode": "chat"} | facts)


API_OFFERS = (
    _offer("acme", "big", canonical="llama-70b", max_input_tokens=400_000, max_output_tokens=8_000),
    _offer("acme", "small", canonical="llama-8b"),
    _offer("night", "owl", canonical="owl"),
    _offer("acme", "nameless"),
    _offer("acme", "gone", canonical="llama-70b", retired_on=date(2025, 1, 1)),
    _offer("acme", "unlisted", canonical="llama-70b", delisted_by=date(2025, 1, 1)),
    _offer("acme", "tuned", canonical="llama-70b", mode="fine-tuned"),
    _offer("acme", "half-known", canonical="llama-70b"),
    _offer("acme", "later", canonical="llama-70b"),
    _offer("acme", "vectors", mode="embedding"),
)


def _mtok(offer: str, kind: str, usd: str, **facts: Any) -> schema.ApiPrice:
    provider, model = offer.split("/")
    plain: dict[str, Any] = {"tier": "standard", "effective_from": date(2022, 6, 1)}
    return schema.ApiPrice(
        provider=provider,
        model=model,
        token_kind=kind,  # type: ignore[arg-type]
        usd_per_mtok=Decimal(usd),
        date_basis="observed",
        source="by-hand",
        **plain | facts,
    )


API_PRICES = (
    _mtok("acme/big", "input", "1.00"),
    _mtok("acme/big", "cached_input", "0.25"),
    _mtok("acme/big", "cache_write", "1.25"),
    _mtok("acme/big", "output", "4.00"),
    _mtok("acme/big", "input", "2.00", above_input_tokens=200_000),
    _mtok("acme/big", "output", "6.00", above_input_tokens=200_000),
    _mtok("acme/big", "input", "0.50", tier="batch"),
    _mtok("acme/big", "output", "2.00", tier="batch"),
    _mtok("acme/small", "input", "0.40"),
    _mtok("acme/small", "output", "1.60"),
    _mtok("night/owl", "input", "0.60", window="peak"),
    _mtok("night/owl", "input", "0.30", window="off_peak"),
    _mtok("night/owl", "output", "1.20", window="peak"),
    _mtok("night/owl", "output", "0.60", window="off_peak"),
    _mtok("acme/nameless", "input", "0.10"),
    _mtok("acme/nameless", "output", "0.20"),
    *(_mtok(f"acme/{name}", kind, "0.01") for name in ("gone", "unlisted", "tuned") for kind in ("input", "output")),
    _mtok("acme/half-known", "input", "0.01"),
    _mtok("acme/vectors", "input", "0.02"),
    *(_mtok("acme/later", kind, "5.00", effective_from=date(2026, 5, 1)) for kind in ("input", "output")),
)
PEAK_WINDOWS = (
    schema.PeakWindow(  # 8 hours of every day
        provider="night",
        effective_from=date(2022, 1, 1),
        hours_of_week_utc=tuple(24 * day + hour for day in range(7) for hour in range(8, 16)),
        source="by-hand",
    ),
)
SCORES = tuple(
    schema.Score(model=model, scale="lmarena-text", score=score, conditions="", observed=TODAY, source="by-hand")
    for model, score in (
        ("llama-70b", 1260.0),
        ("llama-8b", 1180.0),
        ("mixtral-8x7b", 1198.0),
        ("latent-16b", 1170.0),
        ("window-20b", 1280.0),
        ("owl", 1265.0),
    )
)
TABLES = CatalogueFile(
    built_from="by hand",
    sources=(Source(id="by-hand", kind="assumption", title="made by hand for the tests", read=TODAY),),
    api_offers=API_OFFERS,
    api_prices=tuple(sorted(API_PRICES, key=lambda row: row.effective_from)),
    peak_windows=PEAK_WINDOWS,
    machine_prices=tuple(sorted(MACHINE_PRICES, key=lambda row: row.effective_from)),
    service_prices=SERVICE_PRICES,
    instances=INSTANCES,
    accelerators=ACCELERATORS,
    cpus=CPUS,
    models=MODELS,
    formats=FORMATS,
    engines=ENGINES,
    paths=PATHS,
    scores=SCORES,
    profiles=(),
    uptimes=(schema.Uptime(name="ec2", share=0.995, source="by-hand"),),
    repositories=(schema.Repository(model="llama-8b", repository="acme/llama-8b-instruct", source="by-hand"),),
)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of a plan up to the costs of self-hosting, each as it was handed on."""

    snapshot: Snapshot
    quality: Quality
    ruling: Ruling
    grid: HostedGrid
    speed: Speed
    sizing: Sizing
    options: HostedOptions
    costs: HostedCosts

    @property
    def memory(self) -> Footprint:
        """The footprint of the whole grid."""
        return self.speed.memory

    def at(self, model: str, number_format: str, device: str, degree: int = 1) -> int:
        """The entry of ``speed`` for a replica; the test fails if it was ruled out."""
        for entry, row in enumerate(self.speed.rows):
            if self._is(int(row), model, number_format, device, degree):
                return entry
        raise AssertionError(f"{model} {number_format} on {device} x{degree} was ruled out: {self.ruling.rejected}")

    def grid_row(self, model: str, number_format: str, device: str, degree: int = 1) -> int:
        """The row of the grid for a replica, ruled out or not."""
        rows = range(len(self.grid.model))
        return next(row for row in rows if self._is(row, model, number_format, device, degree))

    def _is(self, row: int, model: str, number_format: str, device: str, degree: int) -> bool:
        hardware = self.grid.fleet.hardware[self.grid.hardware[row]]
        return (
            self.grid.models[self.grid.model[row]].name == model
            and self.grid.formats[self.grid.number_format[row]].name == number_format
            and hardware.device.startswith(device)
            and hardware.tensor_parallel == degree
        )


@pytest.fixture(scope="session")
def small_catalogue() -> Catalogue:
    """The catalogue made by hand, in this file."""
    return index(TABLES, "small")


@pytest.fixture(scope="session")
def with_rows(small_catalogue: Catalogue) -> Callable[..., Catalogue]:
    """The small catalogue with some tables replaced: ``with_rows(scores=())``."""
    return lambda **tables: index(msgspec.structs.replace(small_catalogue.tables, **tables), "changed")


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    """The catalogue that ships; its prices change, so no test may lean on one of them."""
    return load_catalogue()


@pytest.fixture(scope="session")
def shipped_plan(shipped: Catalogue) -> Plan:
    """A million requests a day of medium length, planned over the catalogue that ships."""
    work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    return plan(work, shipped, Policy(at_least=1380.0))


@pytest.fixture(scope="session")
def shipped_ranges(shipped_plan: Plan) -> Ranges:
    """The ranges of that plan."""
    return ranges(shipped_plan)


@pytest.fixture(scope="session")
def plan_small(small_catalogue: Catalogue) -> Callable[..., Plan]:
    """A plan over the small catalogue: ``plan_small(workload, models=("llama-8b",), at_least=1250)``.

    Fields of ``Only`` narrow; everything else goes to the policy (``by`` and ``catalogue`` to the planner).
    """

    def planned(workload: Workload, *, by: str = "model", catalogue: Catalogue | None = None, **fields: Any) -> Plan:
        return plan(workload, catalogue or small_catalogue, _policy(fields), by=by)  # type: ignore[arg-type]

    return planned


@pytest.fixture(scope="session")
def stages(small_catalogue: Catalogue) -> Callable[..., Stages]:
    """The stages of a plan over the small catalogue, with the parameters of one's choice; else physics alone."""
    physics = replace(typical_parameters(), effects={})

    def run(
        workload: Workload,
        *,
        parameters: Parameters | None = None,
        catalogue: Catalogue | None = None,
        **fields: Any,
    ) -> Stages:
        policy, catalogue = _policy(fields), catalogue or small_catalogue
        snapshot = catalogue.on(policy.as_of or catalogue.last_day, policy.region)
        check_names(catalogue, snapshot, policy)
        quality, ruling = quality_of(catalogue, policy), Ruling()
        grid = hosted_grid(catalogue, snapshot, workload, policy, quality, ruling)
        speed = predict(grid, workload, ruling, policy.stated, parameters or physics)
        sizing = size(speed, machine_pairs(speed, grid), workload, policy)
        options = hosted_options(grid, speed, sizing, snapshot, ruling)
        return Stages(
            snapshot=snapshot,
            quality=quality,
            ruling=ruling,
            grid=grid,
            speed=speed,
            sizing=sizing,
            options=options,
            costs=hosted_costs(options, speed, sizing, snapshot, policy),
        )

    return run


def _policy(fields: dict[str, Any]) -> Policy:
    only = {name: fields.pop(name) for name in Only.__struct_fields__ if name in fields}
    return Policy(only=Only(**only), **fields)


@pytest.fixture(scope="session")
def ideal() -> Parameters:
    """A machine without losses: datasheet rates, no overhead, memory and compute overlap entirely."""
    nothing = Overheads(layer_s=0.0, sequence_s=0.0, step_s=0.0)
    typical = typical_parameters()
    return replace(
        typical,
        effects={},
        exponent=50.0,
        kv_bandwidth_share=1.0,
        expert_bandwidth_share=1.0,
        link_share=1.0,
        usable_memory_share=1.0,
        overhead=dict(typical.overhead) | {"gib": 0.0},
        request_s=0.0,
        bandwidth_share=dict.fromkeys(typical.bandwidth_share, 1.0),
        flops_share=dict.fromkeys(typical.flops_share, 1.0),
        hop_s=dict.fromkeys(typical.hop_s, 0.0),
        overheads=dict.fromkeys(typical.overheads, nothing),
    )


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """The one message with which ``read`` refuses a file that holds ``text``, less the folder's path."""

    def message(text: str, read: Callable[[Path], object], error: type[BreakevenError] = SpecError) -> str:
        path = tmp_path / "slip.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(error) as wrong:
            read(path)
        told = str(wrong.value).replace(f"{tmp_path}/", "")
        assert "\n" not in told
        assert told.count("Expected: ") == 1
        assert told[-1] in ".?"
        assert told[-2] not in ".?"
        return told

    return message


RUN = {
    "id": "mine:1",
    "source": "my rack",
    "date": "2026-11-01",
    "mode": "closed",
    "scenario": "",
    "gpu": "H100-SXM",
    "gpus_used": "1",
    "model": "llama3-8b",
    "compute_format": "bf16",
    "weight_bytes_per_param": "2",
    "kv_bytes_per_element": "2",
    "engine": "vllm-v1",
    "engine_version": "vllm 0.19.0",
    "tensor_parallel": "1",
    "data_parallel": "1",
    "pipeline_parallel": "1",
    "replicas": "1",
    "parallelism_basis": "published",
    "input_tokens": "1000",
    "output_tokens": "300",
    "concurrency": "16",
    "request_rate_per_s": "",
    "requests": "",
    "output_tokens_per_s": "1500",
    "ttft_s": "0.1",
    "tpot_s": "0.01",
}
"""A good row of a table of measurements."""


def _runs_csv(*rows: dict[str, str], columns: Any = COLUMNS) -> str:
    """A table of measurements whose rows differ as said from a good one."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**RUN, **row} for row in rows)
    return out.getvalue()


@pytest.fixture(scope="session")
def runs_csv() -> Callable[..., str]:
    """Writes tables of measurements."""
    return _runs_csv
