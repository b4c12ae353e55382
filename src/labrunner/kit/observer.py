"""The grader's own view of a leased database, through a role that is no superuser."""

from typing import Any, Final

import psycopg

from labrunner.errors import AuthoringError
from labrunner.kit.deadline import deadline
from labrunner.kit.execution import ParameterError, ResultError, execute, read_text
from labrunner.kit.failures import Failure, NotJudged
from labrunner.kit.pins import observer_options
from labrunner.model import Credentials, Endpoint

CONNECT_S: Final = 5
GONE: Final = "the Postgres server does not answer any more"
REMEDY: Final = "grade again; if it stays away, look whether the server still runs and what its log says"
# Names that the lab's own queries use and that the learner's SQL has taken away or closed.
CHANGED: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.WrongObjectType,
    psycopg.errors.DatatypeMismatch,
)


def connect(endpoint: Endpoint, credentials: Credentials, options: str) -> psycopg.Connection:
    """Open a session on a leased database, in autocommit. Raises psycopg.OperationalError."""
    connection = psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname=endpoint.name,
        user=credentials.user,
        password=credentials.password,
        options=options,
        client_encoding="utf8",
        connect_timeout=CONNECT_S,
        autocommit=True,
    )
    read_text(connection)
    return connection


class Observer:
    """One session in the observer's role. `seconds` is the deadline of each of its statements."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._endpoint = endpoint
        self._seconds = seconds
        try:
            self._connection = connect(endpoint, endpoint.observer, observer_options())
        except psycopg.OperationalError as error:
            raise NotJudged(f"{GONE}: {_reason(error)}", REMEDY) from None

    def close(self) -> None:
        """End the session; further calls do nothing."""
        self._connection.close()

    def query(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises NotJudged if the server is gone, other errors as they come."""
        try:
            with deadline(self._connection, self._seconds, _spare):
                return execute(self._connection, sql, params).rows
        except psycopg.Error as error:
            if self._connection.closed:
                raise NotJudged(f"{GONE}: {_reason(error)}", REMEDY) from None
            raise

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the grader's.

        Raises NotJudged if the server is gone, Failure if the query names what the learner's SQL has changed
        or taken away, AuthoringError for every other error in it.
        """
        try:
            return self.query(sql, *params)
        except CHANGED as error:
            raise Failure(
                f"the database is no longer as the lab made it: {error.diag.message_primary}"
            ) from None
        except (psycopg.Error, ParameterError, ResultError) as error:
            raise AuthoringError(
                f"the grader's query {' '.join(sql.split())[:200]!r} does not run: {_reason(error)}",
                hint="try it as the observer's role; its search_path is pg_catalog: write public.orders",
            ) from None

    def is_alive(self) -> bool:
        """Whether the server takes new sessions, and has not restarted since this one began."""
        try:
            connect(self._endpoint, self._endpoint.observer, observer_options()).close()
            self.query("select 1")
        except (psycopg.Error, NotJudged):
            return False
        return True

    def terminate(self, pid: int) -> None:
        """End a session of the learner's role and wait up to a second until it has ended."""
        with connect(self._endpoint, self._endpoint.observer, observer_options()) as connection:
            execute(
                connection,
                "select pg_terminate_backend(pid, 1000) from pg_stat_activity"
                " where pid = $1 and datname = $2",
                (pid, self._endpoint.name),
            )


def _spare(_: int) -> None:
    """The observer's own session is never terminated: shutting its socket is enough."""


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
