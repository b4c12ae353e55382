"""An index that answers alone."""

from collections.abc import Callable

from shop_samples import Sample, totals_by_status

from labrunner.kit import check


@check(needs=["indexes-file-runs"])
def test_customer_totals_return_the_same(returns_the_same: Callable[..., None]) -> None:
    """A customer's totals count what they counted before, orders without a price included."""

    def asked(sample: Sample) -> list[tuple[int]]:
        return [(sample.customers[position][0],) for position in (0, 1, 2, -1)]

    def computed(sample: Sample, customer: int) -> list[tuple[object, ...]]:
        return totals_by_status(order for order in sample.orders if order[1] == customer)

    returns_the_same("customer_totals", asked, computed)


@check(points=3, needs=["customer-totals-return-the-same"])
def test_customer_totals_stay_in_the_index(reads_few_blocks: Callable[[str], None]) -> None:
    """A customer's totals come out of an index alone: no block of the table is read for them."""
    reads_few_blocks("customer_totals")
