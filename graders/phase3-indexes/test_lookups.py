"""Finding rows by an expression: a customer by address, orders by day."""

import datetime as dt
from collections.abc import Callable

from shop_databases import Shop
from shop_samples import Sample, local_time, totals_by_status

from labrunner.kit import Database, check


def test_indexes_file_runs(shop: Shop, empty: Database) -> None:
    """Your indexes.sql runs from its first statement to its last, on a full shop and on an empty one."""
    # The fixtures have run it; a check that fails there fails with what Postgres said.


@check(needs=["indexes-file-runs"])
def test_email_lookup_returns_the_same(returns_the_same: Callable[..., None]) -> None:
    """Finding a customer by address returns what it returned before, whatever mix of cases was typed."""

    def asked(sample: Sample) -> list[tuple[str]]:
        emails = {email.lower(): email.swapcase() for _, email, *_ in sample.customers if email is not None}
        # First the one with an underscore, which LIKE takes for any character.
        return [(email,) for email in sorted(emails.values(), key=lambda email: "_" not in email)] + [("%",)]

    def computed(sample: Sample, address: str) -> list[tuple[object, ...]]:
        return sorted(
            (id_, email, name)
            for id_, email, name, _ in sample.customers
            if email is not None and email.lower() == address.lower()
        )

    returns_the_same("customer_by_email", asked, computed)


@check(points=3, needs=["email-lookup-returns-the-same"])
def test_email_lookup_reads_few_blocks(reads_few_blocks: Callable[[str], None]) -> None:
    """Finding a customer by address reads a handful of blocks, not the whole table."""
    reads_few_blocks("customer_by_email")


@check(needs=["indexes-file-runs"])
def test_day_report_returns_the_same(returns_the_same: Callable[..., None]) -> None:
    """The day's report counts what it counted before, up to the moment at which a day in Vienna ends."""

    def asked(sample: Sample) -> list[tuple[dt.date]]:
        return [(day,) for day in [*sample.days, dt.date(2018, 12, 31)]]

    def computed(sample: Sample, day: dt.date) -> list[tuple[object, ...]]:
        return totals_by_status(order for order in sample.orders if local_time(order[2]).date() == day)

    returns_the_same("day_report", asked, computed)


@check(points=3, needs=["day-report-returns-the-same"])
def test_day_report_reads_few_blocks(reads_few_blocks: Callable[[str], None]) -> None:
    """The day's report reads the orders of that day, not those of all days."""
    reads_few_blocks("day_report")
