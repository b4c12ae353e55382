"""An administrator's work on a Postgres server: sessions, locks, and dropping what nobody holds any more.

Every name on the server that is ours starts with `labrunner_`. A lease is held by a session-level advisory
lock of the connection that made it; when that connection ends, however it ends, the lock is gone and the next
one to come may drop what is left. No process id and no clock decides.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, LiteralString

from labrunner.services.server import Server

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

OBSERVERS = "labrunner_observers"
LEASE = "labrunner_lease_"
BUILD = "labrunner_build_"
_STATEMENTS_SCHEMA = "labrunner"


@contextmanager
def connect(server: Server, database: str | None = None) -> Iterator["Connection"]:
    """An administrator's session in autocommit."""
    import psycopg

    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=database or server.database,
        autocommit=True,
        connect_timeout=5,
        application_name="labrunner",
        # An administrator never resolves a name through a schema that a learner could write to.
        options="-c search_path=pg_catalog -c lock_timeout=0 -c statement_timeout=0",
    ) as connection:
        yield connection


def prepare(server: Server) -> None:
    """Make the group of observers, close a server of ours to PUBLIC, and drop what no one holds any more."""
    with connect(server) as admin:
        with locked(admin, "prepare"):
            if not admin.execute("select 1 from pg_roles where rolname = %s", [OBSERVERS]).fetchone():
                run(admin, "create role {} nologin", OBSERVERS)
        if server.backend != "external":
            add_statement_statistics(admin)
            for (database,) in admin.execute("select datname from pg_database where datallowconn").fetchall():
                run(admin, "revoke all on database {} from public", str(database))
        reap(admin)


def reap(admin: "Connection") -> tuple[str, ...]:
    """Drop every lease and half-made template whose holder is gone; returns their names."""
    dropped = []
    found = admin.execute(
        "select datname from pg_database where starts_with(datname, %s) or starts_with(datname, %s)"
        " union select rolname from pg_roles where starts_with(rolname, %s)",
        [LEASE, BUILD, LEASE],
    ).fetchall()
    for name in sorted({str(row[0]).removesuffix("_learner").removesuffix("_observer") for row in found}):
        key = lock_key(name)
        row = admin.execute("select pg_try_advisory_lock(%s)", [key]).fetchone()
        if row and row[0]:
            drop(admin, name)
            admin.execute("select pg_advisory_unlock(%s)", [key])
            dropped.append(name)
    return tuple(dropped)


def add_statement_statistics(inside: "Connection") -> None:
    """Add pg_stat_statements, in a schema that only observers may use."""
    import psycopg

    # A server that is not ours may lack it; graders that count statements then say what is missing.
    with contextlib.suppress(psycopg.Error):
        run(inside, "create schema if not exists {}", _STATEMENTS_SCHEMA)
        run(inside, "grant usage on schema {} to {}", _STATEMENTS_SCHEMA, OBSERVERS)
        run(inside, "create extension if not exists pg_stat_statements schema {}", _STATEMENTS_SCHEMA)


def drop(admin: "Connection", name: str) -> None:
    """Drop a database of ours with its roles, whether all, some or none of them exist."""
    if admin.execute("select 1 from pg_database where datname = %s and datistemplate", [name]).fetchone():
        run(admin, "alter database {} with is_template false", name)
    run(admin, "drop database if exists {} with (force)", name)
    for role in (f"{name}_observer", f"{name}_learner"):
        run(admin, "drop role if exists {}", role)


@contextmanager
def locked(admin: "Connection", name: str) -> Iterator[None]:
    """Hold the advisory lock of this name, waiting for whoever holds it now."""
    admin.execute("select pg_advisory_lock(%s)", [lock_key(name)])
    try:
        yield
    finally:
        if not admin.broken:
            admin.execute("select pg_advisory_unlock(%s)", [lock_key(name)])


def run(connection: "Connection", statement: LiteralString, *names: str) -> None:
    """Run a statement with these identifiers in the place of its {}."""
    from psycopg import sql

    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def lock_key(name: str) -> int:
    """The number of the advisory lock that stands for this name."""
    return int.from_bytes(hashlib.sha256(f"labrunner {name}".encode()).digest()[:8], signed=True)
