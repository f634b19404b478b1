"""Values that are kept for a while: made once, also when several ask at a time, the least used let go first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A few values by their keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Future[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; made here, or waited for where another is making it. What failed is not kept.

        >>> kept = Kept(2)
        >>> kept.get("a", lambda: 1), kept.get("a", lambda: 2)
        (1, 1)
        """
        with self._lock:
            found = self._made.get(key)
            mine = found is None
            if found is None:
                found = self._made[key] = Future()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            else:
                self._made.move_to_end(key)
        if mine:
            try:
                found.set_result(make())
            except BaseException as wrong:
                with self._lock:
                    self._made.pop(key, None)
                found.set_exception(wrong)
        return found.result()

    def known(self, key: Hashable) -> T | None:
        """The value of a key if it has been made; else ``None``, at once."""
        with self._lock:
            found = self._made.get(key)
        return found.result() if found is not None and found.done() and found.exception() is None else None
