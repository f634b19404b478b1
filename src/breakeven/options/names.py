"""Names that a policy gives, looked up before anything is planned: a slip is told with near matches."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from breakeven.catalogue.load import SAGEMAKER_PREFIX, Catalogue, Snapshot
from breakeven.catalogue.schema import ApiOffer
from breakeven.errors import NoDataError, UnknownNameError
from breakeven.wording import quoting
from breakeven.workload.policy import Policy
from breakeven.workload.success import FORMAT_SIGN

UNKNOWN_LICENCE = "unknown"
SEARCH = "breakeven catalogue search"


def check_names(catalogue: Catalogue, snapshot: Snapshot, policy: Policy) -> None:
    """Refuse a name that no table holds.

    Raises:
        UnknownNameError: with near matches.
        NoDataError: if all that a model's name stands for has its first known price only later.
    """
    only, tables = policy.only, catalogue.tables
    providers = {offer.provider for offer in tables.api_offers}
    _look_up("provider", only.providers, providers, search="breakeven catalogue list providers")
    _look_up("provider", (name for name in policy.api_discount if name != "*"), providers)
    _look_up("API", policy.api_latency, (f"{o.provider}/{o.model}" for o in tables.api_offers), search=SEARCH)
    _look_up("licence", only.licences, {row.licence or UNKNOWN_LICENCE for row in tables.models})
    _look_up("number format", only.formats, (row.name for row in tables.formats))
    _look_up("serving path", only.paths, (row.name for row in tables.paths))
    _look_up("machine", only.machines, machine_names(catalogue), search=SEARCH)
    _look_up("purchase term", only.terms, {row.term for row in tables.machine_prices})
    _look_up("API tier", only.tiers, {row.tier for row in tables.api_prices})
    _look_up("model", policy.scores, model_names(catalogue), search=SEARCH)
    _check_success(catalogue, policy)
    _check_models(catalogue, snapshot, only.models)


def machine_names(catalogue: Catalogue) -> set[str]:
    """Every name under which a machine is rented: ``g5.xlarge`` on EC2, ``ml.g5.xlarge`` as an endpoint."""
    endpoints = {SAGEMAKER_PREFIX + row.name for row in catalogue.tables.instances if row.sagemaker_endpoint}
    return endpoints | set(catalogue.instances)


def model_names(catalogue: Catalogue) -> set[str]:
    """Every name under which a model is sold, scored or hosted."""
    offers = catalogue.tables.api_offers
    return {o.model for o in offers} | {o.canonical for o in offers if o.canonical} | set(catalogue.models)


def _look_up(kind: str, names: Iterable[str] | Mapping[str, object], known: Iterable[str], *, search: str = "") -> None:
    known = set(known) if (names := tuple(names)) else set()
    for name in names:
        if not any(fnmatchcase(row, name) for row in known):
            raise UnknownNameError(kind, name, known, search=search or None)


def _check_success(catalogue: Catalogue, policy: Policy) -> None:
    """Names under which a success rate is given: a model, ``provider/model`` or ``model:format``."""
    success = policy.quality.success if policy.quality else {}
    if not success:
        return
    formats = {row.name for row in catalogue.tables.formats}
    known = model_names(catalogue) | {f"{o.provider}/{o.model}" for o in catalogue.tables.api_offers}
    for name in success:
        model, _, number_format = name.rpartition(FORMAT_SIGN)
        if name not in known and not (model in catalogue.models and number_format in formats):
            raise UnknownNameError("model", name, known, search=SEARCH)


def _check_models(catalogue: Catalogue, snapshot: Snapshot, names: tuple[str, ...]) -> None:
    offers = catalogue.tables.api_offers
    later = {offer.key for offer in snapshot.not_yet}
    for name in names:
        named = [o for o in offers if fnmatchcase(o.model, name) or fnmatchcase(o.canonical or "", name)]
        hosted = any(fnmatchcase(model, name) for model in catalogue.models)
        if not named and not hosted:
            raise UnknownNameError("model", name, model_names(catalogue), search=SEARCH)
        if not hosted and all(offer.key in later for offer in named):
            raise NoDataError(
                quoting("{name} has no known price on {day}", name=name, day=snapshot.as_of),
                expected=quoting("a day from {first} on, its first known price", first=_first_known(catalogue, named)),
                do="Take a later --as-of, or leave the model out",
            )


def _first_known(catalogue: Catalogue, offers: list[ApiOffer]) -> str:
    keys = {offer.key for offer in offers}
    return str(min(row.effective_from for row in catalogue.tables.api_prices if (row.provider, row.model) in keys))
