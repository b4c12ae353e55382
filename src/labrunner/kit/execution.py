"""One statement sent to Postgres, and its rows taken in within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.adapt import Transformer as NewTransformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.string import TextLoader

MAX_ROWS: Final = 1_000_000
MAX_BYTES: Final = 64 * 2**20
CHUNK: Final = 200
ROWS: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.TUPLES_CHUNK, ExecStatus.SINGLE_TUPLE})
COPIES: Final = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})


class ParameterError(Exception):
    """A parameter has no form that Postgres knows."""


class ResultError(Exception):
    """The statement ran, but its result cannot be taken in: too much, or values that Python cannot hold."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a statement; a statement without one has neither columns nor rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def execute(
    connection: psycopg.Connection, text: str, params: Sequence[object] = (), *, keep: bool = True
) -> Rows:
    """Run exactly one statement and return its rows, or with `keep` off run it to its end and drop them.

    Parameters are $1, $2, …; the server infers their types from the statement, as it does for PREPARE. Rows
    come in chunks, so that memory is bounded; types that psycopg does not know come as text. Raises
    psycopg.Error as the server words it, ParameterError before anything is sent, ResultError.
    """
    transformer = NewTransformer(connection)
    try:
        values = transformer.dump_sequence(params, [PyFormat.TEXT] * len(params))
    except (psycopg.Error, ValueError) as error:
        raise ParameterError(str(error)) from None
    connection.pgconn.send_query_params(text.encode(), values)
    connection.pgconn.set_chunked_rows_mode(CHUNK)
    connection.wait(generators.send(connection.pgconn))
    intake = _Intake(transformer, keep=keep)
    _fetch_all(connection, intake)
    return Rows(intake.columns, intake.rows)


def read_text(connection: psycopg.Connection) -> None:
    """Make json and jsonb come as text: what Python's parser refuses, or folds together, stays visible."""
    for name in ("json", "jsonb"):
        connection.adapters.register_loader(name, TextLoader)


def _fetch_all(connection: psycopg.Connection, intake: "_Intake") -> None:
    failed: PGresult | None = None
    try:
        while (result := connection.wait(generators.fetch(connection.pgconn))) is not None:
            if result.status in COPIES:
                # The connection now expects data that nobody has; its owner closes it.
                raise ResultError("COPY from or to the client has nothing to read from or write to here")
            if result.status in ROWS:
                intake.take(result)
            elif result.status == ExecStatus.FATAL_ERROR:
                failed = result
    except psycopg.OperationalError:
        # The server's last words say more than that the connection is lost.
        if failed is None:
            raise
    if failed is not None:
        error = error_from_result(failed, connection.info.encoding)
        if error.sqlstate is None and not connection.closed:
            # No word of the server's: the client library gave up on a row that is too large for its memory.
            raise ResultError(f"returned what cannot be taken in: {error}")
        raise error


class _Intake:
    def __init__(self, transformer: Transformer, *, keep: bool) -> None:
        self.columns: tuple[str, ...] = ()
        self.rows: list[tuple[Any, ...]] = []
        self._transformer = transformer
        self._keep = keep
        self._bytes = 0
        self._is_first = True

    def take(self, result: PGresult) -> None:
        if not self._keep:
            return
        try:
            self._take(result)
        except MemoryError:
            raise ResultError("returned more than this machine can hold") from None
        except (psycopg.Error, ValueError, ArithmeticError) as error:
            raise ResultError(f"returned a value that cannot be read: {error}") from None

    def _take(self, result: PGresult) -> None:
        # One result follows another of the same shape: the loaders are looked up once.
        self._transformer.set_pgresult(result, set_loaders=self._is_first)
        if self._is_first:
            encoding = self._transformer.encoding
            names = ((result.fname(index) or b"") for index in range(result.nfields))
            self.columns = tuple(name.decode(encoding, "replace") for name in names)
            self._is_first = False
        cells = ((row, column) for row in range(result.ntuples) for column in range(result.nfields))
        self._bytes += sum(len(result.get_value(row, column) or b"") for row, column in cells)
        if len(self.rows) + result.ntuples > MAX_ROWS:
            raise ResultError(f"returned more than {MAX_ROWS:,} rows".replace(",", " "))
        if self._bytes > MAX_BYTES:
            raise ResultError(f"returned more than {MAX_BYTES // 2**20} MB")
        self.rows += self._transformer.load_rows(0, result.ntuples, tuple)
