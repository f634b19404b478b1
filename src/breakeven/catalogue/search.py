"""From a name to everything known of it, and from a few words to the names that match them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from breakeven.catalogue.kinds import KINDS, ML, Line, fields, machine_fields, offer_status, uptime_fields
from breakeven.catalogue.listing import on_offer
from breakeven.catalogue.load import ANYWHERE, Catalogue, Snapshot
from breakeven.catalogue.schema import PriceRow, Score
from breakeven.errors import NoDataError, SpecError, UnknownNameError, near_matches
from breakeven.evidence import Source
from breakeven.wording import quoting

NOT_SEARCHED = ("source", "released_source", "licence_source")
"""Columns that hold ids of sources: a source is found by its own title."""
SNIPPET = 40
"""Letters shown before and after the word that was found."""
NEAR = 4
"""Near matches named where nothing was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something with a name: its kind, its names (the full one first) and what its row says."""

    kind: str
    names: tuple[str, ...]
    record: Line

    @property
    def name(self) -> str:
        """Its full name."""
        return self.names[0]

    def called(self, name: str) -> bool:
        """Whether ``name`` is one of its names; case does not matter."""
        return name.lower() in (known.lower() for known in self.names)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one name: its facts, its prices that day and ever, its scores, and what belongs to it."""

    kind: str
    name: str
    facts: Line
    prices: tuple[PriceRow, ...]
    """Those in force on the day."""
    history: tuple[PriceRow, ...]
    """All that are known, oldest first."""
    scores: tuple[Score, ...]
    related: dict[str, tuple[str, ...]]
    """Names of other kinds that belong to it."""

    @property
    def first_day(self) -> date | None:
        """The first day on which it is known; ``None`` if it is not dated."""
        dated = (self.facts.get(key) for key in ("released", "available_from", "effective_from", "first_price"))
        return min([*(row.effective_from for row in self.history), *(day for day in dated if day)], default=None)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one name stands for on one day: it may be an open model and an API offer at once."""

    catalogue_digest: str
    as_of: date
    region: str
    entries: tuple[Entry, ...]
    same_model: tuple[Line, ...]
    """Other API offers of the same model, as `breakeven catalogue list offers` shows them."""
    not_yet: dict[str, date]
    """What else has that name, but is known only from a later day on."""
    sources: tuple[Source, ...]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A name that matches a search, the column in which it does, and what stands there."""

    kind: str
    name: str
    column: str
    text: str


def facts(catalogue: Catalogue) -> Iterator[Fact]:
    """Everything in the catalogue that has a name, by kind in the order of ``KINDS``."""
    tables = catalogue.tables
    for model in tables.models:
        yield Fact(kind="models", names=(model.name,), record=fields(model))
    for offer in tables.api_offers:
        yield Fact(kind="offers", names=("/".join(offer.key), offer.model), record=fields(offer))
    yield from _providers(catalogue)
    rented = {price.machine for price in tables.machine_prices}
    for machine in tables.instances:
        on_sagemaker = machine.sagemaker_endpoint or ML + machine.name in rented
        names = (machine.name, ML + machine.name) if on_sagemaker else (machine.name,)
        yield Fact(kind="machines", names=names, record=machine_fields(machine, catalogue))
    for service in dict.fromkeys(row.service for row in tables.service_prices):
        yield Fact(kind="services", names=(service,), record={})
    for scored in dict.fromkeys(row.model for row in tables.scores):
        yield Fact(kind="scores", names=(scored,), record={})
    for kind in ("accelerators", "cpus", "profiles", "formats", "paths"):
        for row in getattr(tables, kind):
            yield Fact(kind=kind, names=(row.name,), record=fields(row))
    for promise in tables.uptimes:
        yield Fact(kind="uptimes", names=(promise.name,), record=uptime_fields(promise))
    for engine in tables.engines:
        yield Fact(kind="engines", names=(f"{engine.name} {engine.version}", engine.name), record=fields(engine))
    for source in catalogue.sources.values():
        yield Fact(kind="sources", names=(source.id,), record=fields(source))


def _providers(catalogue: Catalogue) -> Iterator[Fact]:
    days: dict[str, list[date]] = defaultdict(list)
    for row in catalogue.tables.api_prices:
        days[row.provider].append(row.effective_from)
    for provider in sorted({offer.provider for offer in catalogue.tables.api_offers}):
        known = days[provider]
        record = {
            "first_price": min(known, default=None),
            "newest_price": max(known, default=None),
            "dated_prices": len(known),
        }
        yield Fact(kind="providers", names=(provider,), record=record)


def find(catalogue: Catalogue, snapshot: Snapshot, name: str, scale: str) -> Found:
    """Everything known of ``name`` on the snapshot's day.

    A name is a model, an API offer (``provider/model`` or the model alone), a machine with or without ``ml.``,
    or the name of anything else that `breakeven catalogue list` shows. Case does not matter.

    Raises:
        UnknownNameError: if nothing has that name.
        NoDataError: if all that has it is known only from a later day on.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> rows = load_catalogue()
    >>> [entry.kind for entry in find(rows, rows.on(rows.last_day, "us-east-1"), "flan-ul2", "lmarena-text").entries]
    ['models']
    """
    entries = [_entry(fact, catalogue, snapshot, name) for fact in called(catalogue, name.strip())]
    known = [entry for entry in entries if entry.first_day is None or entry.first_day <= snapshot.as_of]
    later = {entry.name: entry.first_day for entry in entries if entry.first_day and entry not in known}
    if not known:
        first = min(later.values())
        raise NoDataError(
            quoting("{name} is not known on {day}", name=name, day=snapshot.as_of),
            expected=quoting("a day from {first} on, the first for which a row is known", first=first),
            do="Take a later --as-of",
        )
    same_model = _same_model(catalogue, snapshot, known, scale)
    return Found(
        catalogue_digest=catalogue.digest,
        as_of=snapshot.as_of,
        region=snapshot.region,
        entries=tuple(known),
        same_model=same_model,
        not_yet=later,
        sources=tuple(catalogue.sources[s] for s in _cited(known, same_model) if s in catalogue.sources),
    )


def called(catalogue: Catalogue, name: str) -> list[Fact]:
    """The facts with that name, or else the API offers of the model with that name elsewhere.

    Raises:
        UnknownNameError: if nothing has it.
    """
    everything = list(facts(catalogue))
    found = [fact for fact in everything if fact.called(name)]
    others = [fact for fact in found if fact.kind != "scores"]  # a score belongs to the model or offer, if there is one
    found = others or [fact for fact in everything if name and _canonical(fact) == name.lower()] or found
    if not found:
        known = {name for fact in everything for name in fact.names}
        raise UnknownNameError("name", name, known, search="breakeven catalogue search TEXT")
    return found


def _canonical(fact: Fact) -> str:
    return str(fact.record.get("canonical") or "").lower()


def _entry(fact: Fact, catalogue: Catalogue, snapshot: Snapshot, asked: str) -> Entry:
    history = _history(fact, catalogue, snapshot.region, asked)
    now = _in_force(snapshot) if history else frozenset()
    model = fact.record.get("canonical") or fact.names[-1]
    return Entry(
        kind=fact.kind,
        name=next((known for known in fact.names if known.lower() == asked.lower()), fact.name)
        if fact.kind == "machines"
        else fact.name,
        facts=_that_day(fact, snapshot),
        prices=tuple(row for row in history if row in now),
        history=history,
        scores=tuple(row for row in catalogue.tables.scores if row.model == model)
        if fact.kind in ("models", "offers", "scores")
        else (),
        related={kind: names for kind, names in _related(fact, catalogue).items() if names},
    )


def _that_day(fact: Fact, snapshot: Snapshot) -> Line:
    """A fact's record with what holds on that day only: whether an offer is sold, a provider's peak hours."""
    record = fact.record
    if fact.kind == "offers":
        return {"status": offer_status(record["retired_on"], record["delisted_by"], snapshot.as_of), **record}
    if fact.kind == "providers" and fact.name in snapshot.windows:
        window = snapshot.windows[fact.name]
        hours = {"peak_hours_utc": window.hours_of_week_utc, "note": window.note, "source": window.source}
        return {**record, **hours}
    return record


def _history(fact: Fact, catalogue: Catalogue, region: str, asked: str) -> tuple[PriceRow, ...]:
    """Every known price of a fact, oldest first; of a machine asked for as ``ml.``, that of SageMaker alone."""
    tables = catalogue.tables
    if fact.kind == "offers":
        return tuple(row for row in tables.api_prices if f"{row.provider}/{row.model}" == fact.name)
    if fact.kind == "services":
        return tuple(row for row in tables.service_prices if row.service == fact.name and row.region == region)
    if fact.kind == "machines":
        names = [name for name in fact.names if name.lower() == asked.lower() != fact.name.lower()] or fact.names
        return tuple(row for row in tables.machine_prices if row.machine in names and row.region in (region, ANYWHERE))
    return ()


def _in_force(snapshot: Snapshot) -> frozenset[PriceRow]:
    api = (row for tariff in snapshot.tariffs for row in tariff.prices.values())
    services = (row for tiers in snapshot.service_tiers.values() for row in tiers)
    return frozenset([*api, *services, *snapshot.machine_prices.values()])


def _related(fact: Fact, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    tables, record = catalogue.tables, fact.record
    if fact.kind == "offers":
        return {
            "models": tuple(model for model in catalogue.models if model == (record["canonical"] or record["model"]))
        }
    if fact.kind == "providers":
        return {"offers": tuple("/".join(o.key) for o in tables.api_offers if o.provider == fact.name)}
    if fact.kind == "cpus":
        return {"machines": tuple(row.name for row in tables.instances if row.cpu == fact.name)}
    if fact.kind == "accelerators":
        chip = record["generation"]
        return {
            "machines": tuple(row.name for row in tables.instances if row.accelerator == fact.name),
            "formats": tuple(row.name for row in tables.formats if chip in row.generations),
            "engines": tuple(f"{row.name} {row.version}" for row in tables.engines if chip in row.generations),
        }
    return _citing(fact.name, catalogue) if fact.kind == "sources" else {}


def _citing(source: str, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The names whose facts, prices or scores rest on a source."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for fact in facts(catalogue):
        if any(fact.record.get(column) == source for column in NOT_SEARCHED):
            found[fact.kind][fact.name] = None
    for kind, name, row in _priced_and_scored(catalogue):
        if row.source == source:
            found[kind][name] = None
    return {kind: tuple(names) for kind, names in found.items()}


def _priced_and_scored(catalogue: Catalogue) -> Iterator[tuple[str, str, PriceRow | Score]]:
    tables = catalogue.tables
    for api in tables.api_prices:
        yield "offers", f"{api.provider}/{api.model}", api
    for machine in tables.machine_prices:
        yield "machines", machine.machine, machine
    for service in tables.service_prices:
        yield "services", service.service, service
    for score in tables.scores:
        yield "scores", score.model, score


def _same_model(catalogue: Catalogue, snapshot: Snapshot, shown: list[Entry], scale: str) -> tuple[Line, ...]:
    """Offers of the models shown that are not shown themselves."""
    names = {entry.name for entry in shown}
    models = {
        e.facts.get("canonical") or e.facts.get("model") or e.name for e in shown if e.kind in ("models", "offers")
    }
    lines = KINDS["offers"].lines(catalogue, snapshot, scale) if models else []
    return tuple(
        line for line in on_offer(lines) if (line["canonical"] or line["model"]) in models and line["name"] not in names
    )


def _cited(entries: list[Entry], lines: tuple[Line, ...]) -> list[str]:
    """The ids of all sources, in the order in which they are met."""
    ids: list[str | None] = []
    for entry in entries:
        ids += [entry.facts.get(column) for column in NOT_SEARCHED]
        ids += [row.source for row in (*entry.prices, *entry.history, *entry.scores)]
    ids += [line["source"] for line in lines]
    return [one for one in dict.fromkeys(ids) if one]


def search(catalogue: Catalogue, text: str) -> dict[str, tuple[Hit, ...]]:
    """The names that hold every word of ``text`` in their names, family, provider, notes or other words, by kind.

    Best first: the name itself, names that begin with it, names that hold it, then the rest.

    Raises:
        SpecError: if there is no word in ``text``.
        NoDataError: if nothing matches.
    """
    words = text.lower().split()
    if not words:
        raise SpecError("the search is empty", expected="a word of a name, family or note", do="Name one")
    notes: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for kind, name, row in _priced_and_scored(catalogue):
        note = row.conditions if isinstance(row, Score) else row.note
        if note:
            notes[kind, name.removeprefix(ML)][note] = None
    everything = list(facts(catalogue))
    hits: dict[str, list[Hit]] = {kind: [] for kind in KINDS}
    for fact in everything:
        hit = _hit(fact, words, "; ".join(notes.get((fact.kind, fact.name), ())))
        if hit:
            hits[fact.kind].append(hit)
    if not any(hits.values()):
        raise _nothing(text, words, everything)
    first = " ".join(words)
    return {kind: tuple(sorted(found, key=lambda hit: _place(hit, first))) for kind, found in hits.items() if found}


def _nothing(text: str, words: list[str], everything: list[Fact]) -> NoDataError:
    known = {name for fact in everything for name in (*fact.names, fact.names[-1].split("-")[0])}
    known |= {fact.record["family"] for fact in everything if fact.kind == "models"}
    near = dict.fromkeys(match for part in (text, *words) for match in near_matches(part, sorted(known)))
    return NoDataError(
        quoting("nothing in the catalogue matches {text}", text=repr(text)),
        expected="words of a name, family, provider or note, all of which match",
        do=quoting("Did you mean: {names}?", names=", ".join(list(near)[:NEAR]))
        if near
        else "`breakeven catalogue list` shows what there is",
    )


def _hit(fact: Fact, words: list[str], notes: str) -> Hit | None:
    named = " ".join(fact.names)
    if all(word in named.lower() for word in words):
        return Hit(kind=fact.kind, name=fact.name, column="name", text="")
    texts = {"price note" if fact.kind != "scores" else "conditions": notes}
    for column, value in fact.record.items():
        if column not in NOT_SEARCHED and isinstance(value, str | tuple):
            texts[column] = value if isinstance(value, str) else " ".join(str(part) for part in value)
    everything = " ".join([named, *texts.values()]).lower()
    if not all(word in everything for word in words):
        return None
    missing = next(word for word in words if word not in named.lower())
    column, value = next((column, value) for column, value in texts.items() if missing in value.lower())
    return Hit(kind=fact.kind, name=fact.name, column=column, text=_around(missing, value))


def _around(word: str, text: str) -> str:
    """The part of a text in which a word stands.

    >>> _around("list", "x" * 90 + " of the price list")
    '... of the price list'
    """
    at = text.lower().index(word)
    first, last = max(0, at - SNIPPET), min(len(text), at + len(word) + SNIPPET)
    before = "... " + text[first:at].partition(" ")[2] if first and " " in text[first:at] else text[:at]
    after = text[at:last].rpartition(" ")[0] + " ..." if last < len(text) and " " in text[at:last] else text[at:]
    return before + after


def _place(hit: Hit, first: str) -> tuple[int, str]:
    name = hit.name.lower()
    if hit.column != "name":
        return 3, name
    last = name.rpartition("/")[2]
    return (0 if first in (name, last) else 1 if last.startswith(first) else 2), name
