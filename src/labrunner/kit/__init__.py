"""What a grader is written with: `from labrunner.kit import ...`.

The fixtures `postgres`, `learner`, `rng` and `seed` come from `labrunner.kit.fixtures`, a pytest plugin that
the engine loads.
"""

from labrunner.kit.database import Database, Run
from labrunner.kit.failures import (
    Failure,
    NotJudged,
    expect_at_most,
    expect_equal,
    expect_rows,
    fail,
    not_judged,
)
from labrunner.kit.marks import check
from labrunner.kit.plan import Node, Plan, growth
from labrunner.kit.postgres import Postgres
from labrunner.kit.replay import replay
from labrunner.kit.schema import Index
from labrunner.kit.sqlfiles import Script, SqlFiles
from labrunner.kit.statements import Statement

__all__ = [
    "Database",
    "Failure",
    "Index",
    "Node",
    "NotJudged",
    "Plan",
    "Postgres",
    "Run",
    "Script",
    "SqlFiles",
    "Statement",
    "check",
    "expect_at_most",
    "expect_equal",
    "expect_rows",
    "fail",
    "growth",
    "not_judged",
    "replay",
]
