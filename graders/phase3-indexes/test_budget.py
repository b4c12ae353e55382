"""Every index is paid for by every write: only what is needed, and nothing else."""

import random

from shop_answers import plans
from shop_databases import Shop
from shop_questions import QUESTIONS

from labrunner.kit import Database, Index, SqlFiles, check, expect_at_most, expect_equal, fail

ON_ORDERS = 3
# Rows, and where they lie. ROW() makes an anonymous record, for which no learner's role can define a cast.
CONTENT = "SELECT count(*), sum(hashtextextended(ROW(ctid, t.*)::text, 0)) FROM public.{} AS t"
# What `columns` does not tell: direction, operator class and collation of each key.
SHAPES = """
    SELECT n.nspname, c.relname, i.indoption::int2[], i.indclass::oid[], i.indcollation::oid[]
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
"""
REVERSED = 3


@check(points=2, needs=["indexes-file-runs"])
def test_only_indexes_are_added(shop: Shop) -> None:
    """Your indexes.sql adds indexes and nothing else: no table, view, function, trigger or stored setting."""
    now = shop.after.objects()
    gone, new = shop.objects - now, now - shop.objects
    if gone or new:
        changes = [f"gone: {line}" for line in sorted(gone)] + [f"new: {line}" for line in sorted(new)]
        fail(
            "indexes.sql was run in a shop with 50 000 orders, and what is stored in the database was "
            f"compared with before. Something else than indexes has changed: {_named(gone, new)}. "
            "Whatever has to be kept up to date beside the tables can go stale and costs every write, and a "
            "stored setting changes what others see. Next: remove these statements.",
            expected="no other change than new indexes",
            seen="\n".join(changes[:20]),
            evidence={"changes": changes},
        )


def _named(gone: frozenset[str], new: frozenset[str]) -> str:
    """The first five of what is gone, new or changed; a line begins with its kind and name, then a colon."""
    heads, others = ([line.partition(":")[0] for line in sorted(lines)] for lines in (gone, new))
    words = [f"{head} (changed)" if head in others else f"{head} (gone)" for head in heads]
    words += [f"{head} (new)" for head in others if head not in heads]
    # The columns of a new table say no more than the table.
    return ", ".join([word for word in words if " column " not in word][:5] or words[:5])


@check(needs=["only-indexes-are-added"])
def test_tables_are_untouched(shop: Shop) -> None:
    """Every row is where and what it was: your indexes.sql changes, moves and deletes none."""
    for table in ("customers", "orders", "order_items"):
        query = CONTENT.format(table)
        [(count_before, content_before)], [(count, content)] = (
            shop.before.observe(query),
            shop.after.observe(query),
        )
        message = (
            f"indexes.sql was run in a shop with 50 000 orders, and the table {table} was compared with "
            "before. {} Indexes make reading cheap without touching what is read, and a table that was "
            "rewritten or sorted once does not stay so. Next: remove the statement that does this."
        )
        expect_equal(count, count_before, message.format("It has another number of rows."))
        if content != content_before:
            fail(
                message.format("Rows have other values, or lie elsewhere."),
                expected="the same rows in the same places",
                seen="rows that were changed or moved",
            )


@check(
    points=2,
    needs=[
        "only-indexes-are-added",
        "email-lookup-reads-few-blocks",
        "day-report-reads-few-blocks",
        "order-history-reads-few-blocks",
        "open-orders-read-few-blocks",
        "customer-totals-stay-in-the-index",
        "order-page-reads-few-blocks",
    ],
)
def test_at_most_three_indexes_on_orders(shop: Shop) -> None:
    """Beside its primary key the table orders has at most three indexes."""
    found = [index for index in _own(shop.after) if index.table == "orders"]
    names = ", ".join(index.name for index in found)
    expect_at_most(
        len(found),
        ON_ORDERS,
        f"indexes.sql was run, and the indexes on orders were counted beside the primary key: {names}. "
        "Each new order is written into every one of them. Three are enough for the five files that read "
        "orders. Next: find two that one index could replace, the columns that both begin with first.",
        "indexes",
        definitions=[index.definition for index in found],
    )


@check(points=2, needs=["at-most-three-indexes-on-orders"])
def test_no_index_repeats_another(shop: Shop) -> None:
    """No index only repeats the beginning of another one."""
    shapes = {(schema, name): shape for schema, name, *shape in shop.after.observe(SHAPES)}
    every = shop.after.indexes()
    for index in _own(shop.after):
        for other in every:
            if _repeats(index, other, shapes):
                fail(
                    f"indexes.sql was run, and the indexes on {index.table} were compared. Whatever "
                    f"{index.name} finds, {other.name} finds as well: it begins with the same columns. The "
                    "first only makes every write dearer. Next: drop it, or find out what it was meant "
                    "for.",
                    expected="no index whose columns are the first columns of another",
                    seen=f"{index.definition}\n{other.definition}",
                )


@check(points=2, needs=["no-index-repeats-another"])
def test_every_index_is_used(rng: random.Random, learner: SqlFiles, shop: Shop) -> None:
    """Each of your indexes is used by at least one of the six files."""
    found = {
        name: [
            plan
            for params in question.asked(rng, shop.before, 50_000)
            for plan in plans(learner, name, shop.after, params)
        ]
        for name, question in QUESTIONS.items()
    }
    unused = [
        index.name
        for index in _own(shop.after)
        if not any(plan.uses(index.name) for those in found.values() for plan in those)
    ]
    if unused:
        fail(
            "All six files were run in a shop with 50 000 orders, and their plans were read. No plan uses "
            f"{', '.join(unused)}. An index that nobody reads is still written by every insert, and by "
            "updates of its columns. Next: drop it, or find out why the planner does not want it.",
            expected="every index in the plan of at least one file",
            seen=f"in no plan: {', '.join(unused)}",
            evidence={name: "\n".join(plan.tree() for plan in those) for name, those in found.items()},
        )


def _own(database: Database) -> list[Index]:
    return [index for index in database.indexes() if not index.primary]


def _repeats(index: Index, other: Index, shapes: dict[tuple[str, str], list[list[int]]]) -> bool:
    """Whether `other` serves whatever `index` does; of two that are alike, only the later name repeats."""
    first = len(index.columns)
    alike = (index.columns, set(index.include)) == (other.columns, set(other.include))
    return (
        index.name != other.name
        and (not index.unique or (other.unique and index.columns == other.columns))
        and (index.schema, index.table, index.method, index.predicate)
        == (other.schema, other.table, other.method, other.predicate)
        and index.method == "btree"
        and index.columns == other.columns[:first]
        and set(index.include) <= {*other.columns, *other.include}
        and _same_order(shapes[index.schema, index.name], shapes[other.schema, other.name], first)
        and (not alike or other.unique or other.name < index.name)
    )


def _same_order(shape: list[list[int]], other: list[list[int]], first: int) -> bool:
    options, *kinds = shape
    other_options, *other_kinds = other
    backward = [option ^ REVERSED for option in other_options[:first]]
    return options in (other_options[:first], backward) and all(
        kind[:first] == other_kind[:first] for kind, other_kind in zip(kinds, other_kinds, strict=True)
    )
