"""All tables of the catalogue as they are built into one file, and what the rows of each are told apart by."""

import msgspec

from breakeven.catalogue.schema import (
    Accelerator,
    ApiOffer,
    ApiPrice,
    Cpu,
    Engine,
    Instance,
    MachinePrice,
    ModelSpec,
    NumberFormat,
    PeakWindow,
    Profile,
    Repository,
    Score,
    ServicePrice,
    ServingPath,
    Uptime,
)
from breakeven.evidence import Source


class CatalogueFile(msgspec.Struct, frozen=True, kw_only=True):
    """All tables, as they are built into one file."""

    built_from: str
    sources: tuple[Source, ...]
    api_offers: tuple[ApiOffer, ...]
    api_prices: tuple[ApiPrice, ...]
    peak_windows: tuple[PeakWindow, ...]
    machine_prices: tuple[MachinePrice, ...]
    service_prices: tuple[ServicePrice, ...]
    instances: tuple[Instance, ...]
    accelerators: tuple[Accelerator, ...]
    cpus: tuple[Cpu, ...]
    models: tuple[ModelSpec, ...]
    formats: tuple[NumberFormat, ...]
    engines: tuple[Engine, ...]
    paths: tuple[ServingPath, ...]
    scores: tuple[Score, ...]
    profiles: tuple[Profile, ...]
    uptimes: tuple[Uptime, ...] = ()
    repositories: tuple[Repository, ...] = ()


IDENTITY: dict[str, tuple[str, ...]] = {
    "sources": ("id",),
    "api_offers": ("provider", "model"),
    "api_prices": ("provider", "model", "tier", "token_kind", "above_input_tokens", "window", "effective_from"),
    "peak_windows": ("provider", "effective_from"),
    "machine_prices": ("machine", "region", "term", "effective_from"),
    "service_prices": ("service", "item", "region", "tier_from", "effective_from"),
    "engines": ("name", "version"),
    "scores": ("model", "scale"),
    "uptimes": ("name", "tier", "effective_from"),
    "repositories": ("model",),
}
"""What two rows of a table never share; the others have a ``name``."""
