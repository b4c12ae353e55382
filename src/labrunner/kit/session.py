"""One session in the learner's role: opened for one call, bounded, and closed with it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import psycopg
from psycopg.pq import TransactionStatus

from labrunner.errors import AuthoringError
from labrunner.kit.deadline import Deadline, deadline
from labrunner.kit.execution import ParameterError, ResultError, Rows, execute
from labrunner.kit.failures import Failure, NotJudged
from labrunner.kit.observer import GONE, REMEDY, Observer, connect
from labrunner.kit.statements import Statement
from labrunner.model import Endpoint
from labrunner.waiting import poll

# A role's limit on connections may still count a session that has just ended.
ENTER_S: Final = 1.0
CANCELED: Final = "57014"
PROTOCOL: Final = "08P01"


class Session:
    """A connection in the learner's role. What the learner's SQL does wrong comes out as a Failure."""

    def __init__(self, connection: psycopg.Connection, observer: Observer) -> None:
        self._connection = connection
        self._observer = observer

    def execute(
        self,
        statement: Statement,
        params: Sequence[object] = (),
        *,
        seconds: float,
        prefix: str = "",
        keep: bool = True,
    ) -> Rows:
        """Run one statement, with `prefix` before its text, and return its rows (`keep` off: none).

        Raises Failure with Postgres' message and the statement's place; NotJudged if the server is gone;
        AuthoringError for parameters that Postgres knows no form for.
        """
        with deadline(self._connection, seconds, self._observer.terminate) as limit:
            try:
                return execute(self._connection, prefix + statement.text, params, keep=keep)
            except ParameterError as error:
                raise _wrong_parameters(statement, error) from None
            except ResultError as error:
                raise Failure(f"{place(statement)}: {error}") from None
            except psycopg.Error as error:
                self._blame(error, statement, limit, len(prefix), len(params))

    def copy(self, statement: Statement, rows: Iterable[Sequence[object]], *, seconds: float) -> None:
        """Run COPY … FROM STDIN with these rows. Raises as `execute` does."""
        with deadline(self._connection, seconds, self._observer.terminate) as limit:
            try:
                with self._connection.cursor() as cursor, cursor.copy(statement.text.encode()) as copy:
                    for row in rows:
                        copy.write_row(row)
            except psycopg.Error as error:
                if error.sqlstate is None and not self._connection.closed:
                    raise _wrong_parameters(statement, error) from None
                self._blame(error, statement, limit, 0, 0)

    def refuse_open_transaction(self, path: str) -> None:
        """Fail if a transaction is still open: closing the session would undo it."""
        if self._connection.info.transaction_status != TransactionStatus.IDLE:
            raise Failure(f"{path} leaves a transaction open: end it with COMMIT")

    def _blame(
        self, error: psycopg.Error, statement: Statement, limit: Deadline, shift: int, params: int
    ) -> NoReturn:
        where = place(statement)
        if self._connection.closed and not self._observer.is_alive():
            raise NotJudged(f"{GONE}: it went away while {where} ran", REMEDY) from None
        if limit.is_over and (self._connection.closed or error.sqlstate == CANCELED):
            raise Failure(f"{where} did not finish within {limit.seconds:g} s") from None
        message = error.diag.message_primary or str(error).strip().partition("\n")[0]
        if self._connection.closed:
            raise Failure(f"{where} ended its own session: {message}") from None
        if error.sqlstate == PROTOCOL:
            raise Failure(
                f"{where} takes another number of parameters than the {params} that it is given"
            ) from None
        raise _failure(error, statement, shift) from None


@contextmanager
def learner_session(endpoint: Endpoint, observer: Observer, options: str) -> Iterator[Session]:
    """Open a session in the learner's role for the body.

    Raises NotJudged if the server is gone, Failure if it lives and refuses the role.
    """
    refusals: list[str] = []

    def enter() -> psycopg.Connection | None:
        try:
            return connect(endpoint, endpoint.learner, options)
        except psycopg.OperationalError as error:
            if not observer.is_alive():
                raise NotJudged(GONE, REMEDY) from None
            refusals.append(str(error).rpartition("FATAL:")[2].strip())
            return None

    connection = poll(enter, timeout_s=ENTER_S)
    if connection is None:
        raise Failure(f"the lab's role can no longer enter its database: {refusals[-1]}")
    try:
        yield Session(connection, observer)
    finally:
        # Whatever still runs when its reader is gone would hold its locks against the next session.
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                observer.terminate(connection.info.backend_pid)
        connection.close()


def place(statement: Statement, offset: int = 0) -> str:
    """Return where a statement (or a character of it) stands: file and line, or its own beginning."""
    if statement.path:
        return f"{statement.path}, line {statement.line + statement.text.count(chr(10), 0, offset)}"
    text = " ".join(statement.text.split())
    return f"the statement `{text[:80]}{'…' if len(text) > 80 else ''}`"  # noqa: PLR2004 (as shown)


def _failure(error: psycopg.Error, statement: Statement, shift: int) -> Failure:
    diag = error.diag
    position = int(diag.statement_position or 1) - 1 - shift
    parts = [f"{place(statement, max(0, position))}: {diag.message_primary}"]
    if diag.message_detail:
        parts.append(f"Detail: {diag.message_detail}")
    if diag.message_hint:
        parts.append(f"Hint: {diag.message_hint}")
    evidence = {"sqlstate": error.sqlstate, "statement": statement, "context": diag.context}
    return Failure(
        "\n".join(parts), evidence={name: value for name, value in evidence.items() if value is not None}
    )


def _wrong_parameters(statement: Statement, error: Exception) -> AuthoringError:
    return AuthoringError(
        f"{place(statement)}: its parameters cannot be sent to Postgres: {error}",
        hint="pass numbers, texts, dates and the like",
    )
