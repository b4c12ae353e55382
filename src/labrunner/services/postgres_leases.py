"""Leases of Postgres: a database cloned from a seeded template, with a learner's role and an observer's.

Every name on the server that is ours starts with `labrunner_`. A lease is held by a session-level advisory
lock of the connection that made it; when that connection ends, however it ends, the lock is gone and the next
one to come may drop what is left. No process id and no clock decides.
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, LiteralString

from labrunner.errors import AuthoringError
from labrunner.model import Credentials, Endpoint
from labrunner.services.server import Progress, Seed, Server

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_OBSERVERS = "labrunner_observers"
_LEASE = "labrunner_lease_"
_TEMPLATE = "labrunner_template_"
_BUILD = "labrunner_build_"
_STATEMENTS_SCHEMA = "labrunner"
_CONNECTIONS = 40
# Copying files beats logging every page once a template has more than a few megabytes.
_FILE_COPY_BYTES = 16_000_000
_BUILTIN_LOCALE = 170000


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
        with _locked(admin, "prepare"):
            if not admin.execute("select 1 from pg_roles where rolname = %s", [_OBSERVERS]).fetchone():
                _run(admin, "create role {} nologin", _OBSERVERS)
        if server.backend != "external":
            _add_statement_statistics(admin)
            for (database,) in admin.execute("select datname from pg_database where datallowconn").fetchall():
                _run(admin, "revoke all on database {} from public", str(database))
        reap(admin)


def reap(admin: "Connection") -> tuple[str, ...]:
    """Drop every lease and half-made template whose holder is gone; returns their names."""
    dropped = []
    found = admin.execute(
        "select datname from pg_database where starts_with(datname, %s) or starts_with(datname, %s)"
        " union select rolname from pg_roles where starts_with(rolname, %s)",
        [_LEASE, _BUILD, _LEASE],
    ).fetchall()
    for name in sorted({str(row[0]).removesuffix("_learner").removesuffix("_observer") for row in found}):
        key = _key(name)
        row = admin.execute("select pg_try_advisory_lock(%s)", [key]).fetchone()
        if row and row[0]:
            _drop(admin, name)
            admin.execute("select pg_advisory_unlock(%s)", [key])
            dropped.append(name)
    return tuple(dropped)


class PostgresLeases:
    """The leases that one client holds, all of them on one connection, which is also what keeps them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = contextlib.ExitStack()
        self._admin = self._stack.enter_context(connect(server))
        self._held: list[str] = []

    def lease(self, seed: Seed, progress: Progress) -> Endpoint:
        """Clone the seed's template, which is built first when this server has not got it yet.

        Raises AuthoringError with file and line when the seed's SQL has an error.
        """
        template = self._template(seed, progress)
        lease = _LEASE + secrets.token_hex(8)
        learner, observer = (
            Credentials(f"{lease}_learner", _password()),
            Credentials(f"{lease}_observer", _password()),
        )
        self._admin.execute("select pg_advisory_lock(%s)", [_key(lease)])
        self._held.append(lease)
        self._make_roles(learner, observer)
        _run(
            self._admin,
            "create database {} template {} strategy " + self._strategy(template),
            lease,
            template,
        )
        _run(self._admin, "revoke all on database {} from public", lease)
        _run(self._admin, "grant connect, temporary on database {} to {}", lease, learner.user)
        _run(self._admin, "grant connect on database {} to {}", lease, observer.user)
        with connect(self._server, lease) as inside:
            _run(inside, "reassign owned by {} to {}", _owner(template), learner.user)
        return Endpoint(
            lease=lease,
            service="postgres",
            backend=self._server.backend,
            version=self._server.version,
            host=self._server.host,
            port=self._server.port,
            name=lease,
            learner=learner,
            observer=observer,
        )

    def give_back(self, lease: str) -> None:
        """Drop a lease's database and roles, ending whatever is still connected to it."""
        if lease not in self._held:
            return
        if self._server.backend != "external":
            _forget_statements(self._admin, lease)
        _drop(self._admin, lease)
        self._admin.execute("select pg_advisory_unlock(%s)", [_key(lease)])
        self._held.remove(lease)

    def close(self) -> None:
        """Give every lease back and close the connection; what a dead server keeps is reaped later."""
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            for lease in tuple(self._held):
                self.give_back(lease)
        self._stack.close()

    def _make_roles(self, learner: Credentials, observer: Credentials) -> None:
        from psycopg import sql

        rights: LiteralString = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
        for role in (learner, observer):
            self._admin.execute(
                sql.SQL("create role {} " + rights + " connection limit {} password {}").format(
                    sql.Identifier(role.user), sql.Literal(_CONNECTIONS), sql.Literal(role.password)
                )
            )
        _run(self._admin, "grant {} to {}", learner.user, observer.user)
        _run(self._admin, "grant pg_monitor to {}", observer.user)
        _run(self._admin, "grant {} to {}", _OBSERVERS, observer.user)
        _run(self._admin, "alter role {} set search_path to pg_catalog", observer.user)

    def _strategy(self, template: str) -> LiteralString:
        row = self._admin.execute("select pg_database_size(%s)", [template]).fetchone()
        return "file_copy" if row and int(str(row[0])) > _FILE_COPY_BYTES else "wal_log"

    def _template(self, seed: Seed, progress: Progress) -> str:
        digest = _digest(seed)
        template = _TEMPLATE + digest
        if self._exists(template):
            return template
        build = _BUILD + digest
        # Two grades may need the same new template at once: one builds, the other waits for this lock.
        with _locked(self._admin, build):
            if not self._exists(template):
                progress(f"seeding {seed.source} {_words(seed)}".rstrip() + " (kept for the next grades)")
                _drop(self._admin, build)
                self._build(build, _owner(template), seed)
                _run(self._admin, "alter database {} rename to {}", build, template)
        return template

    def _exists(self, database: str) -> bool:
        return (
            self._admin.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
            is not None
        )

    def _build(self, build: str, owner: str, seed: Seed) -> None:
        if not self._admin.execute("select 1 from pg_roles where rolname = %s", [owner]).fetchone():
            _run(self._admin, "create role {} nologin", owner)
        # One locale for all backends, so that sorting and lower() give the same everywhere.
        _run(self._admin, "create database {} template template0 encoding 'UTF8' " + self._locale(), build)
        _run(self._admin, "revoke all on database {} from public", build)
        with connect(self._server, build) as inside:
            _add_statement_statistics(inside)
            _run(inside, "alter schema public owner to {}", owner)
            _run(self._admin, "grant connect, create on database {} to {}", build, owner)
            _plant(inside, owner, seed)
            inside.execute("vacuum (analyze)")
            _run(self._admin, "revoke all on database {} from {}", build, owner)
        _run(self._admin, "alter database {} with is_template true allow_connections false", build)

    def _locale(self) -> LiteralString:
        if self._admin.info.server_version >= _BUILTIN_LOCALE:
            return "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"
        return "locale_provider libc lc_collate 'C' lc_ctype 'C.UTF-8'"


def _add_statement_statistics(inside: "Connection") -> None:
    import psycopg

    # A server that is not ours may lack it; graders that count statements then say what is missing.
    with contextlib.suppress(psycopg.Error):
        _run(inside, "create schema if not exists {}", _STATEMENTS_SCHEMA)
        _run(inside, "grant usage on schema {} to {}", _STATEMENTS_SCHEMA, _OBSERVERS)
        _run(inside, "create extension if not exists pg_stat_statements schema {}", _STATEMENTS_SCHEMA)


def _forget_statements(admin: "Connection", database: str) -> None:
    """Drop the counters of a lease: each reading of the view costs in proportion to all that is in it."""
    admin.execute(
        "select labrunner.pg_stat_statements_reset(0, oid, 0) from pg_database where datname = %s", [database]
    )


def _plant(inside: "Connection", owner: str, seed: Seed) -> None:
    """Run the seed as its owner, who is no superuser, in one transaction."""
    import psycopg

    try:
        with inside.transaction():
            for key, value in seed.parameters.items():
                inside.execute("select set_config(%s, %s, true)", [f"labrunner.{key}", str(value)])
            inside.execute("set local search_path to public")
            _run(inside, "set local role {}", owner)
            inside.execute(seed.text.encode())
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        position = int(error.diag.statement_position or 1)
        line = seed.text.count("\n", 0, position - 1) + 1
        raise AuthoringError(
            f"{seed.source}:{line}: the seed cannot be run: {error.diag.message_primary or error}",
            hint="the seed runs in one transaction as a role that owns the schema public and is no superuser",
        ) from error


def _drop(admin: "Connection", name: str) -> None:
    """Drop a database of ours with its roles, whether all, some or none of them exist."""
    if admin.execute("select 1 from pg_database where datname = %s and datistemplate", [name]).fetchone():
        _run(admin, "alter database {} with is_template false", name)
    _run(admin, "drop database if exists {} with (force)", name)
    for role in (f"{name}_observer", f"{name}_learner"):
        _run(admin, "drop role if exists {}", role)


@contextmanager
def _locked(admin: "Connection", name: str) -> Iterator[None]:
    admin.execute("select pg_advisory_lock(%s)", [_key(name)])
    try:
        yield
    finally:
        if not admin.broken:
            admin.execute("select pg_advisory_unlock(%s)", [_key(name)])


def _run(connection: "Connection", statement: LiteralString, *names: str) -> None:
    from psycopg import sql

    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _owner(template: str) -> str:
    return template.replace(_TEMPLATE, "labrunner_owner_")


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"labrunner {name}".encode()).digest()[:8], signed=True)


def _digest(seed: Seed) -> str:
    document = json.dumps([seed.text, sorted(seed.parameters.items())])
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def _password() -> str:
    return secrets.token_urlsafe(18)


def _words(seed: Seed) -> str:
    return ", ".join(
        f"{key} = {value:,}" if isinstance(value, int) else f"{key} = {value}"
        for key, value in seed.parameters.items()
    )
