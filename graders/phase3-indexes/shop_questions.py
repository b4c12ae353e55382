"""The six questions to the shop: what each is asked with, and what its answer may cost at any size."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass

from labrunner.kit import Database

Params = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One file of the learner's: what it is run with in a seeded shop, and what it may cost there.

    The bound is `base` blocks, and `per_row` more for each row that comes back. It holds for a shop of any
    size, which is stricter than growing with the logarithm; its slack leaves room for the levels that a
    B-tree gains on the way, and for the few blocks of the catalogue that a fresh session reads.
    """

    file: str
    base: int
    per_row: int
    asked: Callable[[random.Random, Database, int], list[Params]]
    next_step: str

    def bound(self, rows: int) -> int:
        return self.base + self.per_row * rows

    def run_with(self, params: Params) -> str:
        given = " and ".join(
            f"'{value}'" if isinstance(value, str | dt.date) else str(value) for value in params
        )
        return f"{self.file} was run with {given}" if given else f"{self.file} was run"


def spaced(number: int) -> str:
    """A number with its thousands apart, as the lab writes them: 1 241."""
    return f"{number:,}".replace(",", " ")


def _addresses(rng: random.Random, shop: Database, orders: int) -> list[Params]:
    """The address of one customer, and one that two customers share; both in the other case."""
    customers = max(orders // 5, 10)
    single, shared = rng.randrange(1, customers, 50), rng.randrange(40, customers + 1, 40)
    found = shop.run("SELECT email FROM customers WHERE id IN ($1, $2) ORDER BY id", single, shared)
    return [(str(email).swapcase(),) for (email,) in found.rows]


def _days(rng: random.Random, _shop: Database, orders: int) -> list[Params]:
    """A day drawn, and where the shop is old enough the last day of March 2019, which had 23 hours."""
    last = orders // 400 - 1
    drawn = dt.date(2019, 1, 1) + dt.timedelta(rng.randint(1, last))
    return [(drawn,), (dt.date(2019, 3, 31),)] if last > 90 else [(drawn,)]


def _histories(rng: random.Random, _shop: Database, orders: int) -> list[Params]:
    """The marketplace with a status that it never had and with a rare one, and an ordinary customer."""
    return [(1, "returned"), (1, "cancelled"), (_ordinary(rng, orders), "shipped")]


def _nothing(_rng: random.Random, _shop: Database, _orders: int) -> list[Params]:
    return [()]


def _totals(rng: random.Random, _shop: Database, orders: int) -> list[Params]:
    """A wholesaler, who has 100 orders in a shop of any size, and an ordinary customer."""
    return [(rng.randint(2, 5),), (_ordinary(rng, orders),)]


def _pages(rng: random.Random, _shop: Database, _orders: int) -> list[Params]:
    """The marketplace, with far more orders than the page holds, and a wholesaler."""
    return [(1,), (rng.randint(2, 5),)]


def _ordinary(rng: random.Random, orders: int) -> int:
    return rng.randint(6, max(orders // 5, 10))


# Measured on Postgres 15 and 18. The accepted submissions read at the most, with 1 000, 50 000 and 1 000 000
# orders: email 7, day 45, history 21, open orders 45, totals 5, page 218. Indexes that do not fit read at
# the least, with 50 000 orders: email 110, day 267, history 64 to return nothing, open orders 184, totals
# 36, page 636.
QUESTIONS = {
    "customer_by_email": Question(
        "queries/customer_by_email.sql",
        20,
        1,
        _addresses,
        "an index serves a condition only if it holds exactly the expression that the condition compares.",
    ),
    "day_report": Question(
        "queries/day_report.sql",
        80,
        0,
        _days,
        "read the condition in the plan: an index on a column cannot serve a function of that column.",
    ),
    "order_history": Question(
        "queries/order_history.sql",
        20,
        1,
        _histories,
        "an index is sorted by its first column, within that by its second, and so on. Which rows are "
        "read here only to be thrown away or sorted?",
    ),
    "open_orders": Question(
        "queries/open_orders.sql",
        20,
        1,
        _nothing,
        "only 50 are asked for. In which order must an index hold the open orders, so that reading can stop?",
    ),
    "customer_totals": Question(
        "queries/customer_totals.sql",
        20,
        0,
        _totals,
        "each order of a customer lies in another block of the table. What must the index hold, so that the "
        "table need not be read?",
    ),
    "order_page": Question(
        "pages/order_page.sql",
        350,
        0,
        _pages,
        "find the node that reads the most blocks, and ask what would lead it straight to its rows.",
    ),
}
