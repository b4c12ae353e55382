"""A thousand times as many orders."""

import random

from shop_answers import answer, costliest, expect_same, original, plans
from shop_databases import index
from shop_questions import QUESTIONS, spaced

from labrunner.kit import Postgres, SqlFiles, check, expect_at_most

SMALL, LARGE = 1_000, 1_000_000


@check(points=5, needs=["tables-are-untouched", "every-index-is-used"])
def test_a_million_orders_cost_no_more(
    postgres: Postgres,
    rng: random.Random,
    learner: SqlFiles,
) -> None:
    """From 1 000 orders to 1 000 000 all six files stay within the blocks that 50 000 orders allow them."""
    small = {}
    for orders, words in ((SMALL, "1 000 orders"), (LARGE, "1 000 000 orders")):
        with postgres.database(rows=orders) as database:
            # The right answers are taken before the learner's file could change a row.
            asked = [
                (name, params, original(name, database, params))
                for name, question in QUESTIONS.items()
                for params in question.asked(rng, database, orders)
            ]
            index(learner, database, f"a shop with {words}")
            for name, params, expected in asked:
                question = QUESTIONS[name]
                seen = answer(learner, name, database, params)
                expect_same(question, params, f"a shop with {words} and your indexes", seen, expected)
                bound = question.bound(len(expected.rows))
                small.setdefault(name, seen.blocks)
                if seen.blocks > bound:
                    found = plans(learner, name, database, params)
                    expect_at_most(
                        seen.blocks,
                        bound,
                        f"{question.run_with(params)} in a shop with {words} and your indexes. It read "
                        f"{spaced(seen.blocks)} blocks of 8 kB; with 1 000 orders it was {small[name]}. So "
                        "its cost grows with the shop, although its answer does not. Most were read by: "
                        f"{costliest(found).label}. Next: which part of that index is read without being "
                        "needed, and what would let the reading stop earlier?",
                        "blocks",
                        plan="\n".join(plan.tree() for plan in found),
                    )
