"""The rows of the catalogue: one type a table, refused when a fact lacks its source, date or sense.

Prices are exact decimals. What is not known is ``None``, never 0: a price of 0 is refused.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

Tier = Literal["standard", "batch", "flex", "priority"]
TokenKind = Literal["input", "cached_input", "cache_write", "output"]
Window = Literal["", "peak", "off_peak"]
ModelKind = Literal["decoder", "encoder", "encoder-decoder"]
OfferMode = Literal["chat", "embedding", "fine-tuned", "other"]
Service = Literal["sagemaker", "ec2", "own"]
Term = Literal["on-demand", "reserved-1y", "reserved-3y", "savings-1y", "savings-3y", "spot", "owned"]
"""``savings``: a savings plan, at the hourly rate at which it counts a machine."""
DateBasis = Literal["announced", "first_observed", "observed", "derived", "stated"]
"""How the day of a price is known: announced by the provider; the first public table that shows it (which can
lag the change by weeks); read on that day (it may be older); derived from another row; stated by the user."""


class Row(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What every fact carries: the id of its source."""

    source: str

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("a row without a source")


def positive(price: Decimal, what: str) -> None:
    """Refuse a price of zero or below: what is unknown stays out, it is never free."""
    if not price.is_finite() or price <= 0:
        raise ValueError(f"{what} of {price}: a price is above 0 (an unknown price has no row)")


class ApiOffer(Row, frozen=True, kw_only=True, array_like=True):
    """One model of one paid API.

    ``canonical`` is the name under which the same model is scored or hosted elsewhere, ``None`` if that is not
    known. ``delisted_by`` is the first day on which the price table no longer showed it.
    """

    provider: str
    model: str
    mode: OfferMode
    canonical: str | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    retired_on: date | None = None
    delisted_by: date | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Provider and model, the offer's identity."""
        return self.provider, self.model


class ApiPrice(Row, frozen=True, kw_only=True, array_like=True):
    """USD per million tokens of one kind, from a day on.

    ``above_input_tokens``: the price holds for requests with more input than this (long context; 0 = all).
    ``window``: the hours in which it holds (``""`` = all).
    ``until``: the first day on which it no longer holds although no newer row of its kind replaces it (a discount
    that ended, a surcharge that went); ``None`` = until a newer row.
    """

    provider: str
    model: str
    tier: Tier
    token_kind: TokenKind
    usd_per_mtok: Decimal
    effective_from: date
    date_basis: DateBasis
    above_input_tokens: int = 0
    window: Window = ""
    note: str = ""
    until: date | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.usd_per_mtok, f"{self.provider}/{self.model} {self.tier} {self.token_kind}")
        if self.until is not None and self.until <= self.effective_from:
            raise ValueError(f"{self.provider}/{self.model}: until {self.until}, but from {self.effective_from} on")


class PeakWindow(Row, frozen=True, kw_only=True, array_like=True):
    """The hours of the week (UTC, hour 0 = Monday 00:00) in which a provider's ``peak`` prices hold, from a day on."""

    provider: str
    hours_of_week_utc: tuple[int, ...]
    note: str = ""
    effective_from: date = date.min
    """The first day of these hours; the default: since the first price."""


class MachinePrice(Row, frozen=True, kw_only=True, array_like=True):
    """USD per hour of one instance type, from a day on. ``machine`` carries the ``ml.`` of SageMaker."""

    machine: str
    service: Service
    region: str
    term: Term
    usd_per_hour: Decimal
    effective_from: date
    date_basis: DateBasis
    note: str = ""
    interruptions_per_hour: float | None = None
    """Of a machine at spot: how often it is taken away; ``None``: not known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.usd_per_hour, f"{self.machine} {self.term}")
        if self.interruptions_per_hour is not None and not 0 <= self.interruptions_per_hour <= 1:
            raise ValueError(f"{self.machine}: {self.interruptions_per_hour} interruptions an hour, not 0 to 1")


class ServicePrice(Row, frozen=True, kw_only=True, array_like=True):
    """USD per ``unit`` of one item of a service for the amounts of a month between two tier bounds.

    ``tier_to`` is ``None`` for the last known tier if it has no end. A missing tier is unknown, not free.
    """

    service: str
    item: str
    unit: str
    region: str
    usd: Decimal
    effective_from: date
    date_basis: DateBasis
    tier_from: float = 0.0
    tier_to: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self.usd, f"{self.service} {self.item}")


class ProvisionedPrice(Row, frozen=True, kw_only=True, array_like=True):
    """USD an hour for a unit of an API's throughput, from a day on; ``None``: not sold so."""

    provider: str
    model: str
    input_tokens_per_minute: float
    output_tokens_per_minute: float
    usd_per_hour: Decimal | None
    committed_usd_per_hour: Decimal | None
    effective_from: date
    date_basis: DateBasis
    note: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for price in (self.usd_per_hour, self.committed_usd_per_hour):
            if price is not None:
                positive(price, f"{self.provider}/{self.model} provisioned throughput")


PriceRow = ApiPrice | MachinePrice | ServicePrice
"""Any dated price of the catalogue's files."""
ChargedRow = PriceRow | ProvisionedPrice
"""Any price that a bill may be charged by."""


class Instance(Row, frozen=True, kw_only=True, array_like=True):
    """An instance type: its host, and the accelerators in it (``accelerator`` is ``None`` for a CPU machine)."""

    name: str
    vcpus: int
    memory_gib: float
    accelerator: str | None
    accelerator_count: int
    accelerator_memory_gib_total: float | None
    cpu: str | None
    interconnect: Literal["none", "pcie", "nvlink", "neuronlink", "xgmi", "other"]
    network_gbps: float | None = None
    local_nvme_gb: float = 0.0
    sagemaker_endpoint: bool = False
    count: int | None = None
    """How many of them exist, for machines of one's own; ``None`` = as many as wanted."""
    own: bool = False
    """Whether it is a machine of the user's own, from an overlay."""
    note: str = ""


class Accelerator(Row, frozen=True, kw_only=True, array_like=True):
    """A GPU or accelerator core, by its datasheet, dense figures. ``None`` = not read; 0 = it cannot."""

    name: str
    vendor: str
    generation: str
    memory_gib: float | None
    bandwidth_gb_per_s: float | None
    bf16_dense_tflops: float | None
    fp8_dense_tflops: float | None
    fp4_dense_tflops: float | None
    int8_dense_tops: float | None
    link_kind: str
    link_gb_per_s_one_way: float | None
    tdp_w: float | None = None
    note: str = ""


class Cpu(Row, frozen=True, kw_only=True, array_like=True):
    """A server CPU, one socket. FLOPs count a multiply-add as two. ``None`` = not read."""

    name: str
    microarchitecture: str
    cores_per_socket: int | None
    threads_per_core: int
    memory_bandwidth_gb_per_s: float | None
    clock_ghz: float | None
    fp32_flops_per_core_per_cycle: float | None
    bf16_flops_per_core_per_cycle: float | None
    note: str = ""


class ModelSpec(Row, frozen=True, kw_only=True, array_like=True):
    """The dimensions of an open model. ``None`` = not read.

    The attention layers are split into those that see the whole context, those that see what an indexer selects from
    it, those that see a window of ``window_tokens``, and the rest (linear attention, state-space), whose state does not
    grow. A layer that has a window beside what it else sees counts in both.
    """

    name: str
    family: str
    kind: ModelKind
    released: date | None
    released_source: str | None
    licence: str | None
    licence_source: str | None
    weights_public: bool | None
    params_total: int | None
    params_active: int | None
    params_in_experts: int
    layers: int
    encoder_layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    max_context: int | None
    experts: int
    experts_per_token: int
    kv_elements_per_token_layer: int
    full_attention_layers: int
    windowed_layers: int
    window_tokens: int
    latent_kv: bool
    """Whether the KV cache is one shared latent (MLA), kept whole by each tensor-parallel rank."""
    tied_embeddings: bool
    native_format: str
    selecting_layers: int = 0
    """Layers that keep the whole context and read only ``selected_tokens`` of it (DeepSeek sparse attention)."""
    selected_tokens: int = 0
    index_layers: int = 0
    """Layers with an index of their own, one 8-bit key a token; other selecting layers share a neighbour's."""
    index_heads: int = 0
    index_head_dim: int = 0
    tokens_per_entry: int = 1
    """Tokens that an entry of the cache stands for in the layers that see the whole context (compressed attention)."""
    tokens_per_selected_entry: int = 1
    note: str = ""


class NumberFormat(Row, frozen=True, kw_only=True, array_like=True):
    """A number format for weights: bits a weight, and in which precision the multiplications run."""

    name: str
    weight_bits: float
    compute: Literal["fp32", "bf16", "fp8", "int8"]
    generations: tuple[str, ...]
    """Hardware generations on which the serving engines run it."""
    experts_only: bool = False
    """Whether only expert weights are narrow and the rest is 16 bits wide."""
    note: str = ""


class Engine(Row, frozen=True, kw_only=True, array_like=True):
    """A serving engine from a version on, and the parameter set that describes its overheads."""

    name: str
    version: str
    released: date
    overheads: str
    serves: tuple[ModelKind, ...]
    generations: tuple[str, ...]
    """Hardware generations it runs on."""
    formats: tuple[str, ...]
    """Number formats it runs."""
    continuous_batching: bool
    """Whether a request joins a running batch at any step; otherwise it waits for the batch to end."""
    families: tuple[str, ...] = ()
    """Model families it is known to run on that hardware; empty: no family is known to fail."""
    note: str = ""


class ServingPath(Row, frozen=True, kw_only=True, array_like=True):
    """A way from the client to the model server."""

    name: str
    service: Service
    response_limit_s: float | None
    streams: bool
    available_from: date | None
    uses_lambda: bool
    gateway_item: str | None
    superseded_on: date | None = None
    """From this day on another path does the same and more at the same price, so this one is not offered."""
    note: str = ""


class Score(Row, frozen=True, kw_only=True, array_like=True):
    """A published quality score of a model, on a scale; scores of different scales are not comparable."""

    model: str
    scale: str
    score: float
    conditions: str
    observed: date
    ci95: float | None = None


class Profile(Row, frozen=True, kw_only=True, array_like=True):
    """A measured shape of traffic: 24 or 168 hourly weights with mean 1, hour 0 = midnight (Monday) UTC."""

    name: str
    weights: tuple[float, ...]
    note: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.weights) not in (24, 168):
            raise ValueError(f"profile {self.name}: {len(self.weights)} weights, not 24 or 168")


class Uptime(Row, frozen=True, kw_only=True, array_like=True):
    """The share of the time for which a provider promises to be up, from a day on.

    ``name`` is an API provider, or ``ec2`` or ``sagemaker`` for machines. A promise says what is paid back, not what
    was measured.
    """

    name: str
    share: float
    tier: Tier | None = None
    """Of a paid API: the tier for which it is promised; ``None``: all."""
    least_machines: int = 1
    """Machines from which on it is promised."""
    effective_from: date = date.min
    note: str = ""

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        if not 0 < self.share <= 1:
            raise ValueError(f"an uptime of {self.share}: a share of the time is above 0 and at most 1")


class Repository(Row, frozen=True, kw_only=True, array_like=True):
    """Where the weights of a model are published, in the version that follows instructions."""

    model: str
    repository: str
    """On the Hugging Face hub, ``owner/name``."""
