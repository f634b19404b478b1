"""What administrators do to a store, from the admin API and from the command line: the same rules for both."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from breakeven.errors import SpecError, near_matches
from breakeven.gateway.books.keys import HINT, VirtualKey, digest_of, new_id, new_secret
from breakeven.gateway.books.store import Store, now_us


class UnknownTeam(SpecError):  # noqa: N818 - says what is unknown
    """A key for a team that there is not."""


class Made(NamedTuple):
    """A key that was made, and its secret, which is kept nowhere."""

    secret: str
    key: VirtualKey


def make_key(store: Store, **facts: Any) -> Made:  # noqa: ANN401 - the fields of a key
    """A new key.

    Raises:
        UnknownTeam: if its team is not known.
    """
    _check_team(store, facts.get("team"))
    secret = new_secret()
    key = VirtualKey(id=new_id(), hint=secret[-HINT:], created_us=now_us(), **facts)
    store.add_key(key, digest_of(secret))
    return Made(secret, key)


def change_key(store: Store, name: str, changes: Mapping[str, Any]) -> VirtualKey | None:
    """Changes of a key; ``None`` where there is none.

    Raises:
        UnknownTeam: if its new team is not known.
    """
    _check_team(store, changes.get("team"))
    return store.change_key(name, changes)


def delete_team(store: Store, name: str) -> tuple[bool, int]:
    """A team goes, if it has no keys: whether there was one, and how many keys it has."""
    keys = sum(key.team == name for key in store.living_keys())
    return (False, keys) if keys else (store.delete_team(name), 0)


def _check_team(store: Store, team: str | None) -> None:
    if team is None:
        return
    known = [one.id for one in store.teams()]
    if team not in known:
        near = near_matches(team, known)
        raise UnknownTeam(
            f"there is no team {team!r}",
            expected=f"one of {len(known)} teams" if known else "a team that was made before its keys",
            do=f"Did you mean: {', '.join(near)}?" if near else "Make it first",
        )
