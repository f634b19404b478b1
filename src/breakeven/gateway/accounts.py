"""What the user says of the books: where the store is, whether keys are asked for, and who may administer them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from breakeven.errors import SpecError
from breakeven.fields import said
from breakeven.gateway.books.money import pico_usd_of

MOST_WAITING = 50_000


class Accounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The books of a gateway, as they stand in ``gateway.yaml``."""

    store: Annotated[
        str, said("Where keys, budgets and records are kept: a file (SQLite), or a `postgresql://` address.")
    ] = "gateway.db"
    store_env: Annotated[
        str | None, said("The environment variable that holds the address of the store, where it has a password.")
    ] = None
    keys: Annotated[bool, said("Whether callers need a virtual key.")] = True
    unknown_cost_usd: Annotated[
        str | None,
        said(
            "Dollars held back for a request of which nobody knows what it costs at most, if its key has a budget in "
            "dollars. Without it such a request is refused."
        ),
    ] = None
    refresh_s: Annotated[
        float, msgspec.Meta(gt=0, le=60), said("How old a change of a key may be before every gateway knows of it.")
    ] = 1.0
    most_records_waiting: Annotated[
        int,
        msgspec.Meta(ge=1),
        said("How many usage records are kept in memory while the store cannot be written; more are counted as lost."),
    ] = MOST_WAITING
    keep_days: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        said("After how many days usage records are deleted; without it they stay. Budgets do not depend on them."),
    ] = None
    admin_token_env: Annotated[str, said("The environment variable that holds the admin token.")] = (
        "BREAKEVEN_ADMIN_TOKEN"
    )
    admin_token_file: Annotated[str | None, said("A file that holds the admin token; it goes before the variable.")] = (
        None
    )

    def __post_init__(self) -> None:
        if self.unknown_cost_usd is not None:
            pico_usd_of(self.unknown_cost_usd)

    @property
    def unknown_cost_pico_usd(self) -> int | None:
        """What is held back where nobody knows the most that a request can cost."""
        return None if self.unknown_cost_usd is None else pico_usd_of(self.unknown_cost_usd)

    def place(self, environ: Mapping[str, str] = os.environ) -> str:
        """Where the store is.

        Raises:
            SpecError: if the variable that should say so is empty.
        """
        if self.store_env is None:
            return self.store
        found = environ.get(self.store_env, "").strip()
        if not found:
            raise SpecError(
                f"the environment variable {self.store_env} is empty",
                expected="the address of the store of the gateway's books",
                do=f"Set {self.store_env}, or give `store` instead of `store_env`",
            )
        return found

    def admin_token(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """The admin token; ``None`` where there is none.

        Raises:
            SpecError: if the file that should hold it cannot be read.
        """
        if self.admin_token_file is None:
            return environ.get(self.admin_token_env, "").strip() or None
        try:
            return Path(self.admin_token_file).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as wrong:
            raise SpecError(
                f"the file of the admin token, {self.admin_token_file}, cannot be read",
                expected="a text file with the token in it",
                do="Check the path and who may read it",
            ) from wrong
