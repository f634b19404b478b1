# ruff: noqa: T201 - it talks to the test over its output
"""A gateway's books in a process of their own: hammers one key, tells what it let in, and may be killed meanwhile.

    python hammer.py PLACE SECRET REQUESTS MOST_PICO_USD COST_PICO_USD

Prints a line for every hundredth request that was settled, with the time; at the end how many were let in.
"""

import asyncio
import sys
import time

from tests.gateway.bookkeeping import record

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books.books import Books
from breakeven.gateway.ledger import Refused


async def one(books: Books, secret: str, number: int, most: int, cost: int) -> int:
    try:
        admission = await books.admit(secret, model="small", most_pico_usd=most)
    except Refused:
        return 0
    await asyncio.sleep(0.001)
    books.settle(admission, record(number, key=admission.key, cost_pico_usd=cost, id=f"{books.gateway}-{number}"))
    return 1


async def hammer(place: str, secret: str, requests: int, most: int, cost: int) -> None:
    books = Books(Accounts(store=place)).begin()
    print("ready", flush=True)
    let_in = 0
    for first in range(0, requests, 20):
        let_in += sum(
            await asyncio.gather(
                *(one(books, secret, first + more, most, cost) for more in range(min(20, requests - first)))
            )
        )
        print(let_in, time.monotonic(), flush=True)
    books.end()
    print("let in", let_in, flush=True)


if __name__ == "__main__":
    at, key, *numbers = sys.argv[1:]
    asyncio.run(hammer(at, key, *map(int, numbers)))
