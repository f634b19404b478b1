"""What administrators do to a store, from the admin API and from the command line: the same rules for both."""

from typing import Any, NamedTuple

from breakeven.gateway.books.keys import HINT, VirtualKey, digest_of, new_id, new_secret
from breakeven.gateway.books.store import Store, now_us


class Made(NamedTuple):
    """A key that was made, and its secret, which is kept nowhere."""

    secret: str
    key: VirtualKey


def make_key(store: Store, **facts: Any) -> Made:  # noqa: ANN401 - the fields of a key
    """A new key.

    Raises:
        UnknownTeam: if its team is not known.
    """
    secret = new_secret()
    key = VirtualKey(id=new_id(), hint=secret[-HINT:], created_us=now_us(), **facts)
    store.add_key(key, digest_of(secret))
    return Made(secret, key)
