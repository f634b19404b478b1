"""The rules that the gateway routes by: frozen, complete and checked before the first request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from breakeven.errors import SpecError, near_matches
from breakeven.gateway.config import GatewayFile, Limits, Routing, SageMakerEntry, Tier, Timeouts, UpstreamEntry
from breakeven.gateway.credentials import Credential, from_environment, from_file
from breakeven.gateway.from_plan import API, OWN, Planned
from breakeven.gateway.providers import base_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One server of an upstream."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One upstream: equal replicas of one model, or a provider's API (one replica without a limit).

    Attributes:
        name: Its name in the configuration.
        kind: How it is spoken to.
        replicas: Its servers.
        sagemaker: The endpoint, where it is one of SageMaker; its replica's ``url`` is empty for AWS's public address.
        model: The model's name there; ``None``: as the caller says it.
        provider: Whose prices hold; ``None`` for own machines.
        tier: The provider's tier.
        key: What it is asked with.
        concurrency: Requests at a time on each replica; ``None``: as many as come.
        usd_per_hour: What one replica costs; ``None`` for APIs, and where it is not known.
        largest_output_tokens: What a budget holds back for a request without a limit of its own.
        asks_usage: Whether a stream is asked for its usage.
    """

    name: str
    kind: str
    replicas: tuple[Replica, ...]
    sagemaker: SageMakerEntry | None = None
    model: str | None = None
    provider: str | None = None
    tier: Tier = "standard"
    key: Credential | None = None
    concurrency: int | None = None
    usd_per_hour: Decimal | None = None
    largest_output_tokens: int | None = None
    asks_usage: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who answers for one model, in the order in which they are asked."""

    model: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that routing goes by."""

    routes: Mapping[str, Route]
    routing: Routing = field(default_factory=Routing)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    pass_headers: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every upstream once."""
        return tuple({target.name: target for route in self.routes.values() for target in route.targets}.values())


def rules_of(file: GatewayFile, planned: Planned | None = None, *, with_keys: bool = True) -> Rules:
    """The rules of a configuration, with a plan's upstreams below what the file says of them.

    Raises:
        SpecError: if something is missing or contradicts itself. Keys are read here, so that a missing one is told now;
            without them the rules can be looked at, but nobody can be asked.
    """
    entries = _laid_over(file.upstreams, planned)
    models = file.models or ({planned.model: tuple(planned.upstreams)} if planned else {})
    if not models:
        raise SpecError(
            "there is no model to serve", expected="models in gateway.yaml, or a plan", do="See docs/guides/gateway.md"
        )
    targets = {name: _target(name, entry, planned, with_keys) for name, entry in entries.items() if _used(name, models)}
    routes = {}
    for model, names in models.items():
        if not names:
            raise SpecError(f"models.{model} names nobody", expected="one upstream or more", do="Name them in order")
        for name in names:
            if name not in targets:
                near = near_matches(name, targets) or list(entries)
                raise SpecError(
                    f"models.{model}: there is no upstream {name}",
                    expected="a name that stands under upstreams",
                    do=f"Did you mean: {', '.join(near)}?" if near else "Add it there",
                )
        routes[model] = Route(model=model, targets=tuple(targets[name] for name in dict.fromkeys(names)))
    return Rules(
        routes=routes,
        routing=file.routing,
        timeouts=file.timeouts,
        limits=file.limits,
        pass_headers=_passable(file.pass_headers),
    )


NEVER_PASSED = ("accept-encoding", "authorization", "connection", "content-length", "host", "transfer-encoding")


def _passable(names: tuple[str, ...]) -> tuple[str, ...]:
    """Headers that may go on: not the caller's key, and none by which the wire tells where a request ends."""
    for name in names:
        if name.lower() in NEVER_PASSED or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise SpecError(
                f"pass_headers names {name}",
                expected=f"the name of a header other than {', '.join(NEVER_PASSED)}",
                do="Leave it out",
            )
    return tuple(name.lower() for name in names)


def _used(name: str, models: Mapping[str, tuple[str, ...]]) -> bool:
    return any(name in names for names in models.values())


def _laid_over(stated: Mapping[str, UpstreamEntry], planned: Planned | None) -> dict[str, UpstreamEntry]:
    """The file's entries, each over the plan's of the same name: what the file states wins, field by field."""
    merged = dict(stated)
    for name, base in (planned.upstreams if planned else {}).items():
        over = stated.get(name, UpstreamEntry())
        changed = {f: v for f in UpstreamEntry.__struct_fields__ if (v := getattr(over, f)) != getattr(_PLAIN, f)}
        merged[name] = msgspec.structs.replace(base, **changed)
    return merged


_PLAIN = UpstreamEntry()


def _target(name: str, entry: UpstreamEntry, planned: Planned | None, with_keys: bool) -> Target:
    urls = entry.addresses or ((base_url(name, entry.provider),) if entry.provider else ())
    if not urls and entry.sagemaker is not None:
        urls = ("",)
    if not urls:
        raise _no_address(name, planned)
    for url in filter(None, urls):
        _refuse_odd_url(name, url)
    several = len(urls) > 1
    return Target(
        name=name,
        kind=entry.kind,
        replicas=tuple(
            Replica(name=f"{name}/{n}" if several else name, url=url.rstrip("/")) for n, url in enumerate(urls, 1)
        ),
        sagemaker=entry.sagemaker,
        model=entry.model,
        provider=entry.provider,
        tier=entry.tier,
        key=_key(entry) if with_keys else None,
        concurrency=entry.concurrency,
        usd_per_hour=entry.usd_per_hour,
        largest_output_tokens=entry.largest_output_tokens,
        asks_usage=entry.asks_usage,
    )


def _no_address(name: str, planned: Planned | None) -> SpecError:
    if name == OWN and planned is not None and planned.replicas:
        return SpecError(
            f"the plan runs {planned.replicas} replicas on {planned.machine}, and nobody says where they answer",
            expected="their base URLs",
            do=f"Give upstreams.{OWN}.urls in gateway.yaml, or --own-url for each",
        )
    return SpecError(
        f"upstreams.{name} has no address", expected="url, urls or a provider", do=f"Give upstreams.{name}.url"
    )


def _refuse_odd_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        shown = url if "@" not in url else "(hidden: it holds a user or a password)"
        raise SpecError(
            f"upstreams.{name}: the url is {shown}",
            expected="http:// or https:// and a host, without user or password",
            do="Put keys into key_env or key_file",
        )
    if parts.query or parts.fragment:
        raise SpecError(f"upstreams.{name}: the url has a query", expected="a base URL", do="Leave it out")


def _key(entry: UpstreamEntry) -> Credential | None:
    if entry.key_env is not None:
        return from_environment(entry.key_env)
    return from_file(Path(entry.key_file)) if entry.key_file is not None else None


def with_flags(file: GatewayFile, own_urls: tuple[str, ...], api_key_env: str | None) -> GatewayFile:
    """A configuration with the addresses and the key that were given as flags."""
    entries = dict(file.upstreams)
    if own_urls:
        entries[OWN] = msgspec.structs.replace(entries.get(OWN, _PLAIN), url=None, urls=own_urls)
    if api_key_env:
        entries[API] = msgspec.structs.replace(entries.get(API, _PLAIN), key_env=api_key_env, key_file=None)
    return msgspec.structs.replace(file, upstreams=entries)
