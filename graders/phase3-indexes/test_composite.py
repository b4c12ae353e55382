"""Several columns in one index, in the right order, and an index on a part of the table."""

from collections.abc import Callable

from shop_answers import plans
from shop_databases import Shop
from shop_questions import spaced
from shop_samples import Sample

from labrunner.kit import SqlFiles, check, expect_at_most

# A fiftieth of the orders is open. An index that also holds the paid ones passes; one of all orders does not.
ENTRIES = 5_000


@check(needs=["indexes-file-runs"])
def test_order_history_returns_the_same(returns_the_same: Callable[..., None]) -> None:
    """A customer's latest orders with one status come as before: the same 20, in the same order."""

    def asked(sample: Sample) -> list[tuple[int, str]]:
        most, some, none = (sample.customers[position][0] for position in (0, 1, -1))
        often = [(most, status) for status in ("shipped", "lost", "Shipped")]
        return [*often, (some, "shipped"), (none, "shipped")]

    def computed(sample: Sample, customer: int, status: str) -> list[tuple[object, ...]]:
        found = [order for order in sample.orders if (order[1], order[5]) == (customer, status)]
        found.sort(key=lambda order: (order[2], order[0]), reverse=True)
        return [(id_, placed, total, ship_to) for id_, _, placed, _, total, _, ship_to, _ in found[:20]]

    returns_the_same("order_history", asked, computed)


@check(points=3, needs=["order-history-returns-the-same"])
def test_order_history_reads_few_blocks(reads_few_blocks: Callable[[str], None]) -> None:
    """A customer's latest orders with one status cost a block each, even for the largest customer."""
    reads_few_blocks("order_history")


@check(needs=["indexes-file-runs"])
def test_open_orders_return_the_same(returns_the_same: Callable[..., None]) -> None:
    """The orders to pack next come as before: the same 50, in the same order."""

    def computed(sample: Sample) -> list[tuple[object, ...]]:
        found = [order for order in sample.orders if order[5] == "open"]
        found.sort(key=lambda order: (order[2], order[0]))
        return [(id_, customer, placed, total) for id_, customer, placed, _, total, *_ in found[:50]]

    returns_the_same("open_orders", lambda _: [()], computed)


@check(points=2, needs=["open-orders-return-the-same"])
def test_open_orders_read_few_blocks(reads_few_blocks: Callable[[str], None]) -> None:
    """The 50 orders to pack next cost a block for each of them, however many are open."""
    reads_few_blocks("open_orders")


@check(points=2, needs=["open-orders-read-few-blocks"])
def test_open_orders_index_is_small(learner: SqlFiles, shop: Shop) -> None:
    """The index behind the open orders has no entry for the 49 of 50 orders that are not open."""
    database = shop.after
    [plan] = plans(learner, "open_orders", database, ())
    used = {node.index for node in plan.nodes if node.index}
    sizes = database.observe(
        "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'i' ORDER BY 2 DESC"
    )
    for name, entries in sizes:
        if name in used:
            expect_at_most(
                entries,
                ENTRIES,
                "queries/open_orders.sql was run in a shop with 50 000 orders, of which about 1 000 are "
                f"open. It reads the index {name}, which has an entry for {spaced(entries)} orders. Every "
                "new order and every change of an indexed column pays for entries that this query never "
                "reads. Next: let the index hold only the rows that the query asks for.",
                "entries",
                plan=plan,
            )
