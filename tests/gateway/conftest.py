"""Fixtures of the gateway's tests."""

from tests.gateway.bookkeeping import books, cluster, place, postgres

__all__ = ["books", "cluster", "place", "postgres"]
