"""A small shop drawn anew for each run, full of what queries that are nearly right treat differently."""

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass

from labrunner.kit import Database, Failure

CUSTOMERS = ("id", "email", "name", "joined_at")
ORDERS = ("id", "customer_id", "placed_at", "shipped_at", "total_cents", "status", "ship_to", "note")
ITEMS = ("id", "order_id", "line", "quantity", "price_cents", "product")

Customer = tuple[int, str | None, str, dt.datetime]
Order = tuple[int, int, dt.datetime, dt.datetime | None, int | None, str, str, str | None]
Item = tuple[int, int, int, int, int, str]

# "lost" is a status that the seeded shop does not know.
_STATUSES = {"shipped": 55, "open": 20, "paid": 10, "cancelled": 5, "returned": 5, "lost": 5}
_MOMENT = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of a small shop, their values in the order of CUSTOMERS, ORDERS and ITEMS.

    `days` are those around whose edges the orders were placed.
    """

    days: list[dt.date]
    customers: list[Customer]
    orders: list[Order]
    items: list[Item]


def draw(rng: random.Random, size: int) -> Sample:
    """A shop with 12 customers and `size` orders: half of them the first customer's, none the last one's."""
    ids = rng.sample(range(1, 10**6), 12)
    opened = dt.datetime(2019, 1, 1, tzinfo=dt.UTC)
    customers = [
        (id_, email, f"Customer {id_}", opened) for id_, email in zip(ids, _emails(rng), strict=True)
    ]
    days = _days(rng)
    instants = [
        edge + offset
        for day in days
        for edge in (midnight(day), midnight(day + dt.timedelta(1)))
        for offset in (-_MOMENT, 0 * _MOMENT, _MOMENT, dt.timedelta(minutes=90), dt.timedelta(hours=-9))
    ]
    orders = [_order(rng, id_, ids, instants) for id_ in rng.sample(range(1, 10**9), size)]
    items = [
        (order[0], line, rng.randint(1, 9), rng.choice([0, 5, 99_999]), rng.choice(["Tea", "Größe 4", "tea"]))
        for order in orders
        for line in range(1, rng.choice([0, 1, 1, 2, 5]) + 1)
    ]
    rng.shuffle(items)
    return Sample(days, customers, orders, [(id_, *item) for id_, item in enumerate(items, start=1)])


def load(database: Database, sample: Sample) -> None:
    """Empty the shop and fill it with the sample, as the learner's role."""
    try:
        database.truncate("order_items", "orders", "customers")
        database.insert("customers", CUSTOMERS, sample.customers)
        database.insert("orders", ORDERS, sample.orders)
        database.insert("order_items", ITEMS, sample.items)
    except Failure as failure:
        message = (
            "indexes.sql was run on an empty shop. After it customers and orders could not be inserted any "
            f"more.\n{failure.message}\nNext: find the statement that forbids what was allowed before."
        )
        raise Failure(message, evidence=failure.evidence) from None


def totals_by_status(orders: Iterable[Order]) -> list[tuple[object, ...]]:
    """Status, number of orders and the sum of their totals (None where none has one), sorted by status."""
    groups: dict[str, list[int | None]] = {}
    for order in orders:
        groups.setdefault(order[5], []).append(order[4])
    priced = {status: [total for total in totals if total is not None] for status, totals in groups.items()}
    return [
        (status, len(groups[status]), sum(priced[status]) if priced[status] else None)
        for status in sorted(groups)
    ]


def local_time(instant: dt.datetime) -> dt.datetime:
    """The clock on the wall in Vienna.

    An hour ahead, two from the last Sunday of March to that of October, 01:00 UTC. Written out, because not
    every machine has a database of time zones, and the server's own must not be compared with itself.
    """
    begin, end = (
        dt.datetime.combine(_last_sunday(instant.year, month), dt.time(1), tzinfo=dt.UTC) for month in (3, 10)
    )
    return (instant + dt.timedelta(hours=2 if begin <= instant < end else 1)).replace(tzinfo=None)


def midnight(day: dt.date) -> dt.datetime:
    """The moment at which this day begins in Vienna."""
    wall = dt.datetime.combine(day, dt.time(0))
    guesses = (wall.replace(tzinfo=dt.UTC) - dt.timedelta(hours=hours) for hours in (1, 2))
    return next(guess for guess in guesses if local_time(guess) == wall)


def _last_sunday(year: int, month: int) -> dt.date:
    last = dt.date(year, month, 31)
    return last - dt.timedelta((last.weekday() + 1) % 7)


def _emails(rng: random.Random) -> list[str | None]:
    """Twelve addresses: the same in other cases, nearly the same, and none at all."""
    n = rng.randint(2, 999)
    emails = [
        f"Anna.{n}@Mail.Example",
        f"anna.{n}@mail.example",
        f"a_na.{n}@mail.example",
        f"anna.{n}@mail.example.org",
        f" anna.{n}@mail.example",
        f"JÜRGEN.{n}@Post.Example",
        f"jürgen.{n}@post.example",
        f"o'brien+{n}%@inbox.example",
        "a\\b@mail.example",
        "",
        None,
        None,
    ]
    rng.shuffle(emails)
    return emails


def _order(rng: random.Random, id_: int, customers: list[int], instants: list[dt.datetime]) -> Order:
    customer = rng.choice([customers[0], rng.choice(customers[1:-1])])
    placed = rng.choice(instants)
    # Whether an order has been shipped says nothing about its status here.
    shipped = rng.choice([None, placed + dt.timedelta(days=2)])
    total = rng.choice([None, 0, 999, 2_147_483_647, rng.randint(1, 99_999)])
    [status] = rng.choices(list(_STATUSES), list(_STATUSES.values()))
    return (id_, customer, placed, shipped, total, status, f"Street {id_ % 100}", None)


def _days(rng: random.Random) -> list[dt.date]:
    """Five days of a year: one of 23 hours, one of 25, New Year, and one each in winter and in summer."""
    year = rng.randint(2019, 2030)
    clocks_change = [_last_sunday(year, 3), _last_sunday(year, 10)]
    ordinary = [dt.date(year, 1, rng.randint(2, 31)), dt.date(year, 7, rng.randint(1, 31))]
    return [*clocks_change, dt.date(year, 1, 1), *ordinary]
