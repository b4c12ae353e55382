"""A leased database: the learner's SQL runs here as the learner's role, and is seen from outside."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self

from psycopg import sql

from labrunner.kit import schema
from labrunner.kit.counters import Totals, totals
from labrunner.kit.failures import Failure, NotJudged
from labrunner.kit.observer import Observer
from labrunner.kit.pins import DEFAULTS, learner_options
from labrunner.kit.plan import Plan, read_plan
from labrunner.kit.session import Session, learner_session, place
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import Statement
from labrunner.model import Endpoint, Limits

EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) "
BEGIN: Final = "BEGIN READ ONLY"
# The one statement of our own between the two readings of the counters.
OWN_STATEMENTS: Final = 1
ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one execution and what this same execution cost.

    `blocks` are shared blocks hit and read by the statement, nested ones included, each as often as it was
    visited; `statements` is how many statements ran, nested ones included.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    blocks: int
    statements: int


class Database:
    """A lease of Postgres for the grader; a context manager that gives the lease back.

    Every call opens sessions of its own, with every setting that a session may choose fixed at the server's
    default, so nothing carries over but what is stored in the database.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits, give_back: Callable[[], None]) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._give_back = give_back
        self._is_open = True
        self._observer = Observer(endpoint, limits.statement_s)
        defaults = [(row[0], row[1]) for row in self._observer.rows(DEFAULTS)]
        self._options = learner_options(defaults, limits.statement_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the lease back; further calls do nothing."""
        if self._is_open:
            self._is_open = False
            self._observer.close()
            self._give_back()

    def apply(self, script: Script) -> None:
        """Run a script of the learner's statement by statement, each within the statement deadline.

        Raises Failure with file, line and Postgres' message for the first statement that fails, and if the
        script leaves a transaction open.
        """
        with self._session() as session:
            for statement in script.statements:
                session.execute(statement, seconds=self._limits.statement_s, keep=False)
            session.refuse_open_transaction(script.path)

    def run(self, statement: Statement | str, *params: object, write: bool = False) -> Run:
        """Run one statement with parameters for its $1, $2, … and return its rows and cost.

        It runs in a read-only transaction that is rolled back, or with `write` in one that is committed. At
        most 1 000 000 rows or 64 MB come back. Raises Failure for what the statement does wrong, NotJudged if
        the server cannot say what it cost.
        """
        statement = _statement(statement)
        for _ in range(1 if write else ATTEMPTS):
            run, before, after = self._measured(statement, params, write=write)
            if after.calls - before.calls < OWN_STATEMENTS:
                raise NotJudged(
                    "the Postgres server did not count the statements of the learner's role",
                    "set compute_query_id=auto on the server, and let nothing else reset pg_stat_statements",
                )
            if after.evictions == before.evictions:
                return run
        raise NotJudged(
            f"the Postgres server kept forgetting the cost of {place(statement)}",
            "raise pg_stat_statements.max on the server",
        )

    def explain(self, statement: Statement | str, *params: object) -> Plan:
        """Run one statement under EXPLAIN (ANALYZE, BUFFERS), read only, and return its plan."""
        statement = _statement(statement)
        seconds = self._limits.statement_s
        with self._session() as session:
            session.execute(_beside(statement, BEGIN), seconds=seconds)
            rows = session.execute(statement, params, seconds=seconds, prefix=EXPLAIN).rows
        try:
            return read_plan(json.loads(rows[0][0]))
        except (LookupError, TypeError, ValueError, RecursionError):
            raise Failure(f"{place(statement)} has no plan that can be read") from None

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add rows to a table ("orders" or "sales.orders") as the learner's role; triggers fire as usual."""
        target = _identifier(table)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        text = sql.SQL("COPY {} ({}) FROM STDIN").format(target, names).as_string()
        with self._session() as session:
            session.copy(Statement(text, 1, ""), rows, seconds=self._limits.check_s)

    def truncate(self, *tables: str) -> None:
        """Empty these tables together as the learner's role, and let their counters begin anew."""
        names = sql.SQL(", ").join(map(_identifier, tables))
        text = sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names).as_string()
        with self._session() as session:
            session.execute(Statement(text, 1, ""), seconds=self._limits.statement_s)

    def vacuum_analyze(self) -> None:
        """Vacuum and analyze every table of the learner's role, as that role, so that plans rest on facts."""
        tables = self._observer.rows(schema.TABLES, self.endpoint.learner.user)
        if tables:
            names = sql.SQL(", ").join(sql.Identifier(*row) for row in tables)
            text = sql.SQL("VACUUM (ANALYZE) {}").format(names).as_string()
            with self._session() as session:
                session.execute(Statement(text, 1, ""), seconds=self._limits.check_s)

    def observe(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query run as the observer's role, read only, with search_path=pg_catalog.

        Raises Failure if what it names is gone or closed, AuthoringError for other errors in it.
        """
        # Reading a learner's table may run the learner's code, from an index's predicate to a cast, as the
        # one who reads. So it happens in a session of its own, and the kit's own reads catalogues only.
        with closing(Observer(self.endpoint, self._limits.statement_s)) as fresh:
            return fresh.rows(query, *params)

    def indexes(self) -> tuple[schema.Index, ...]:
        """Return every index outside the system's schemas, ordered by table and name."""
        return schema.indexes(self._observer)

    def objects(self) -> frozenset[str]:
        """Return a line for every object that is no index: compare before and after the learner's SQL."""
        return schema.objects(self._observer, self.endpoint.learner.user)

    def _measured(
        self, statement: Statement, params: Sequence[object], *, write: bool
    ) -> tuple[Run, Totals, Totals]:
        role, seconds = self.endpoint.learner.user, self._limits.statement_s
        first, last = ("BEGIN READ WRITE", "COMMIT") if write else (BEGIN, "ROLLBACK")
        with self._session() as session:
            session.execute(_beside(statement, first), seconds=seconds)
            before = totals(self._observer, role)
            result = session.execute(statement, params, seconds=seconds)
            session.execute(_beside(statement, last), seconds=seconds)
            after = totals(self._observer, role)
        statements = after.calls - before.calls - OWN_STATEMENTS
        return Run(result.columns, result.rows, after.blocks - before.blocks, statements), before, after

    def _session(self) -> AbstractContextManager[Session]:
        return learner_session(self.endpoint, self._observer, self._options)


def _statement(statement: Statement | str) -> Statement:
    return statement if isinstance(statement, Statement) else Statement(statement, 1, "")


def _beside(statement: Statement, text: str) -> Statement:
    """Return a statement of ours that is blamed on the place of another: a COMMIT may fail for its sake."""
    return replace(statement, text=text)


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
