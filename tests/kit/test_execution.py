import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from labrunner.kit import Database
from labrunner.kit.execution import ResultError, Rows, execute
from labrunner.kit.observer import connect


@contextmanager
def memory_left(megabytes: int) -> Iterator[None]:
    """For the body, let this process take so much memory more and no more."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def connection(shared: Database) -> Iterator[psycopg.Connection]:
    with closing(connect(shared.endpoint, shared.endpoint.learner, "")) as opened:
        yield opened


def test_a_statement_without_a_result_has_no_columns(connection: psycopg.Connection) -> None:
    assert execute(connection, "set work_mem = '1MB'") == Rows((), [])
    assert execute(connection, "") == Rows((), [])


def test_a_result_without_rows_has_columns(connection: psycopg.Connection) -> None:
    assert execute(connection, "select 1 as a, 2 as b where false") == Rows(("a", "b"), [])


def test_rows_come_in_order_over_many_chunks(connection: psycopg.Connection) -> None:
    assert execute(connection, "select generate_series(1, 1001)").rows == [(n,) for n in range(1, 1002)]


def test_an_error_after_some_rows_is_an_error(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        execute(connection, "select 1 / (1000 - n) from generate_series(1, 1000) n")
    assert execute(connection, "select 1 as x") == Rows(("x",), [(1,)])


@pytest.mark.parametrize("megabytes", [160, 260])
def test_a_row_that_is_larger_than_memory_is_refused(connection: psycopg.Connection, megabytes: int) -> None:
    # Either the client library or Python runs out of memory first.
    with (
        memory_left(megabytes),
        pytest.raises(
            ResultError, match=r"returned (what cannot be taken in|more than this machine can hold)"
        ),
    ):
        execute(connection, "select repeat('x', 100000000)")
