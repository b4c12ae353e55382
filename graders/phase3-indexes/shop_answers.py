"""A question's answer: from the learner's file, run as the application does, and from the original query."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shop_questions import QUESTIONS, Params, Question

from labrunner.kit import (
    Database,
    Failure,
    Node,
    Plan,
    SqlFiles,
    Statement,
    expect_equal,
    expect_rows,
    replay,
)

ORIGINALS = Path(__file__).parent / "originals"


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows; blocks and statements are added up over all that a page ran."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    blocks: int
    statements: int


def original(name: str, database: Database, params: Params) -> Answer:
    """The answer of the query that the shop came with, in a database that the learner's SQL never saw."""
    return _once(database, _original(name), params)


def answer(learner: SqlFiles, name: str, database: Database, params: Params) -> Answer:
    """The answer of the learner's file, run as application.md says: a second statement once for each row."""
    statements = _statements(learner, name)
    first = _once(database, statements[0], params)
    if len(statements) == 1:
        return first
    columns, blocks, count = first.columns, first.blocks, first.statements
    rows: list[tuple[object, ...]] = []
    for row in first.rows:
        lines = _once(database, statements[1], (row[0],))
        rows += [row + line for line in lines.rows or [(None,) * len(lines.columns)]]
        columns = first.columns + lines.columns
        blocks, count = blocks + lines.blocks, count + lines.statements
    return Answer(columns, rows, blocks, count)


def asked(
    learner: SqlFiles, name: str, database: Database, params: Params
) -> list[tuple[Statement, Sequence[object]]]:
    """Each statement in the learner's file with its values; a page's second one with its first row's."""
    statements = _statements(learner, name)
    found: list[tuple[Statement, Sequence[object]]] = [(statements[0], params)]
    if len(statements) > 1:
        rows = database.run(statements[0], *params).rows
        found += [(statements[1], row[:1]) for row in rows[:1]]
    return found


def by_hand(learner: SqlFiles, name: str, database: Database, params: Params) -> str:
    """The same for psql."""
    return replay(["indexes.sql"], *asked(learner, name, database, params))


def plans(learner: SqlFiles, name: str, database: Database, params: Params) -> list[Plan]:
    """The plan of each statement in the learner's file, of a page's second one for the first row."""
    return [
        database.explain(statement, *values) for statement, values in asked(learner, name, database, params)
    ]


def original_plan(name: str, database: Database, params: Params) -> Plan:
    """The plan of the query that the shop came with."""
    return database.explain(_original(name), *params)


def expect_same(question: Question, params: Params, where: str, seen: Answer, expected: Answer) -> None:
    """Fail unless `seen` has the columns and the rows of `expected`, in the same order."""
    message = (
        f"{question.run_with(params)} in {where}. It returned other {{}} than the query that the shop came "
        "with. Next: compare the two. Is a condition, a NULL, a tie or the edge of a range treated "
        "differently?"
    )
    if seen.rows or expected.rows:
        expect_equal(seen.columns, expected.columns, message.format("columns"))
    expect_rows(seen.rows, expected.rows, message.format("rows"), ordered=True, columns=expected.columns)


def costliest(found: Sequence[Plan]) -> Node:
    """The scan, of a table or an index, that read the most blocks; the top node of a plan without any."""
    nodes = [node for plan in found for node in plan.nodes]
    return max(
        [node for node in nodes if node.relation or node.index] or nodes[:1], key=lambda node: node.blocks
    )


def _once(database: Database, statement: Statement | str, params: Params) -> Answer:
    run = database.run(statement, *params)
    return Answer(run.columns, run.rows, run.blocks, run.statements)


def _original(name: str) -> str:
    return (ORIGINALS / f"{name}.sql").read_text(encoding="utf-8").rstrip().removesuffix(";")


def _statements(learner: SqlFiles, name: str) -> tuple[Statement, ...]:
    file = QUESTIONS[name].file
    if not file.startswith("pages/"):
        return (learner.query(file),)
    statements = learner.script(file).statements
    if len(statements) > 2:
        raise Failure(
            f"{file} holds more statements than the application runs: see application.md",
            expected="one statement, or two",
            seen=f"{len(statements)} statements",
        )
    return statements
