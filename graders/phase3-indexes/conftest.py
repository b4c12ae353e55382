"""What the checks of this lab share: the shop with and without the learner's indexes, and two judgements."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner.errors import AuthoringError
from labrunner.kit import Database, Postgres, SqlFiles, expect_at_most

# The grader's own modules stand beside this file; at the end of the path they can shadow nothing.
sys.path.append(str(Path(__file__).parent))

from shop_answers import Answer, answer, by_hand, costliest, expect_same, original, original_plan, plans
from shop_databases import Shop, index
from shop_questions import QUESTIONS, Params, spaced
from shop_samples import Sample, draw, load

# 654 blocks of orders: enough that a scan stands out from every right answer, few enough to be made at once.
FULL = 50_000

Asked = Callable[[Sample], list[Params]]
Computed = Callable[..., list[tuple[object, ...]]]


@pytest.fixture(scope="session")
def shop(postgres: Postgres, learner: SqlFiles) -> Shop:
    learner.script("indexes.sql")
    before, after = postgres.database(rows=FULL), postgres.database(rows=FULL)
    objects = after.objects()
    index(learner, after, "a shop with 50 000 orders")
    return Shop(before, after, objects)


@pytest.fixture(scope="session")
def empty(postgres: Postgres, learner: SqlFiles) -> Database:
    """A shop without a row, in which the learner's indexes are made before anything is inserted."""
    database = postgres.database(rows=0)
    index(learner, database, "an empty shop")
    return database


@pytest.fixture(scope="session")
def untouched(postgres: Postgres) -> Database:
    """A shop without a row and without the learner's indexes."""
    return postgres.database(rows=0)


@pytest.fixture
def returns_the_same(
    rng: random.Random, learner: SqlFiles, empty: Database, untouched: Database
) -> Callable[[str, Asked, Computed], None]:
    """Asks a question of small shops whose rows came after the indexes, and compares with two other answers.

    These are the original query's, in a database that the learner's SQL never saw, and one computed in
    Python. A lively shop is asked everything, one that has hardly begun only the first two things.
    """

    def judge(name: str, asked: Asked, computed: Computed) -> None:
        for size, most in ((rng.randint(380, 440), None), (rng.randint(1, 9), 2)):
            sample = draw(rng, size)
            load(untouched, sample)
            load(empty, sample)
            for params in asked(sample)[:most]:
                expected = original(name, untouched, params)
                if expected.rows != computed(sample, *params):
                    raise AuthoringError(f"originals/{name}.sql and its model differ for {params!r}")
                where = f"a small shop whose {size} orders were placed after indexes.sql had run"
                expect_same(QUESTIONS[name], params, where, answer(learner, name, empty, params), expected)

    return judge


@pytest.fixture
def reads_few_blocks(rng: random.Random, learner: SqlFiles, shop: Shop) -> Callable[[str], None]:
    """Asks a question of the seeded shop: its rows must be the original's, and few blocks may be read."""

    def judge(name: str) -> None:
        question = QUESTIONS[name]
        for params in question.asked(rng, shop.before, FULL):
            expected = original(name, shop.before, params)
            seen = answer(learner, name, shop.after, params)
            expect_same(question, params, "a shop with 50 000 orders and your indexes", seen, expected)
            if seen.blocks > question.bound(len(expected.rows)):
                _refuse_cost(name, params, seen, expected)

    def _refuse_cost(name: str, params: Params, seen: Answer, expected: Answer) -> None:
        question = QUESTIONS[name]
        found = plans(learner, name, shop.after, params)
        node = costliest(found)
        thrown = f" ({spaced(node.rows_removed)} rows read and thrown away)" if node.rows_removed else ""
        expect_at_most(
            seen.blocks,
            question.bound(len(expected.rows)),
            f"{question.run_with(params)} in a shop with 50 000 orders and your indexes. The rows are "
            f"right, but it read {spaced(seen.blocks)} blocks of 8 kB. (Without any index it is "
            f"{spaced(expected.blocks)}.) Most were read by: {node.label}{thrown}. Next: "
            f"{question.next_step}",
            "blocks",
            **{
                "plan": "\n".join(plan.tree() for plan in found),
                "plan before": original_plan(name, shop.before, params).tree(),
                "replay": by_hand(learner, name, shop.after, params),
            },
        )

    return judge
