"""One page, one statement."""

import datetime as dt
import random
from collections.abc import Callable

from shop_answers import answer
from shop_samples import Item, Order, Sample, draw, load

from labrunner.kit import Database, SqlFiles, check, expect_equal

SIZES = (5, 10, 40)


@check(points=2, needs=["indexes-file-runs"])
def test_order_page_returns_the_same(returns_the_same: Callable[..., None]) -> None:
    """The order page shows what it showed before: the same 50 orders, with all their lines or with none."""

    def asked(sample: Sample) -> list[tuple[int]]:
        return [(sample.customers[position][0],) for position in (0, 1, -1)]

    def computed(sample: Sample, customer: int) -> list[tuple[object, ...]]:
        found = [order for order in sample.orders if (order[1], order[5]) == (customer, "shipped")]
        found.sort(key=lambda order: (order[2], order[0]), reverse=True)
        return [
            (order[0], order[2], order[4], *line)
            for order in found[:50]
            for line in _lines(sample.items, order[0])
        ]

    returns_the_same("order_page", asked, computed)


def _lines(items: list[Item], order: int) -> list[tuple[object, ...]]:
    lines = sorted(item[2:] for item in items if item[1] == order)
    return [(line, product, quantity, price) for line, quantity, price, product in lines] or [(None,) * 4]


@check(points=3, needs=["order-page-returns-the-same"])
def test_order_page_needs_one_statement(rng: random.Random, learner: SqlFiles, empty: Database) -> None:
    """The order page sends one statement, whether it shows 5 orders, 10 or 40."""
    sample = draw(rng, 0)
    customers = [customer[0] for customer in sample.customers[: len(SIZES)]]
    for customer, size in zip(customers, SIZES, strict=True):
        sample.orders.extend(_shipped(customer, size, first=len(sample.orders) + 1))
    sample.items.extend((order[0], order[0], 1, 1, rng.randint(1, 999), "Tea") for order in sample.orders)
    load(empty, sample)
    seen = {
        size: answer(learner, "order_page", empty, (c,)).statements
        for c, size in zip(customers, SIZES, strict=True)
    }
    counts = ", ".join(f"{count} for {size} orders" for size, count in seen.items())
    expect_equal(
        seen,
        dict.fromkeys(SIZES, 1),
        "pages/order_page.sql was run as application.md says, for customers with 5, 10 and 40 orders. The "
        f"server counted these statements: {counts}. Each is a round trip between application and "
        "database, and the number grows with the page. Next: ask for the lines of all orders on the page "
        "in the statement that finds the orders.",
        statements={str(size): count for size, count in seen.items()},
    )


def _shipped(customer: int, count: int, first: int) -> list[Order]:
    placed = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    return [
        (first + n, customer, placed + dt.timedelta(hours=n), None, 100 + n, "shipped", "Street 1", None)
        for n in range(count)
    ]


@check(points=2, needs=["order-page-needs-one-statement"])
def test_order_page_reads_few_blocks(reads_few_blocks: Callable[[str], None]) -> None:
    """The order page reads its 50 orders and their lines, and nothing that it does not show."""
    reads_few_blocks("order_page")
