"""Leases of Postgres: a database cloned from a seeded template, with a learner's role and an observer's."""

import contextlib
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, LiteralString

from labrunner.errors import AuthoringError
from labrunner.model import Credentials, Endpoint
from labrunner.services import postgres_admin as admin
from labrunner.services.server import Progress, Seed, Server

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_TEMPLATE = "labrunner_template_"
_CONNECTIONS = 40
# Copying files beats logging every page once a template has more than a few megabytes.
_FILE_COPY_BYTES = 16_000_000
# The versions of Postgres that brought these.
_BUILTIN_LOCALE = 170000
_SCRAM_ITERATIONS = 160000


class PostgresLeases:
    """The leases that one client holds, all of them on one connection, which is also what keeps them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = contextlib.ExitStack()
        self._admin = self._stack.enter_context(admin.connect(server))
        self._held: list[str] = []
        if self._admin.info.server_version >= _SCRAM_ITERATIONS:
            # Random passwords that live as long as a grade: there is nothing for iterations to protect.
            self._admin.execute("set scram_iterations = 1")

    def lease(self, seed: Seed, progress: Progress) -> Endpoint:
        """Clone the seed's template, which is built first when this server has not got it yet.

        Raises AuthoringError with file and line when the seed's SQL has an error.
        """
        template = self._template(seed, progress)
        lease = admin.LEASE + secrets.token_hex(8)
        learner, observer = (
            Credentials(f"{lease}_learner", _password()),
            Credentials(f"{lease}_observer", _password()),
        )
        self._admin.execute("select pg_advisory_lock(%s)", [admin.lock_key(lease)])
        self._held.append(lease)
        self._make_roles(learner, observer)
        admin.run(
            self._admin,
            "create database {} template {} strategy " + self._strategy(template),
            lease,
            template,
        )
        admin.run(self._admin, "revoke all on database {} from public", lease)
        admin.run(self._admin, "grant connect, temporary on database {} to {}", lease, learner.user)
        admin.run(self._admin, "grant connect on database {} to {}", lease, observer.user)
        with admin.connect(self._server, lease) as inside:
            admin.run(inside, "reassign owned by {} to {}", _owner(template), learner.user)
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
        admin.drop(self._admin, lease)
        self._admin.execute("select pg_advisory_unlock(%s)", [admin.lock_key(lease)])
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
        admin.run(self._admin, "grant {} to {}", learner.user, observer.user)
        admin.run(self._admin, "grant pg_monitor to {}", observer.user)
        admin.run(self._admin, "grant {} to {}", admin.OBSERVERS, observer.user)
        admin.run(self._admin, "alter role {} set search_path to pg_catalog", observer.user)

    def _strategy(self, template: str) -> LiteralString:
        row = self._admin.execute("select pg_database_size(%s)", [template]).fetchone()
        return "file_copy" if row and int(str(row[0])) > _FILE_COPY_BYTES else "wal_log"

    def _template(self, seed: Seed, progress: Progress) -> str:
        digest = _digest(seed)
        template = _TEMPLATE + digest
        if self._exists(template):
            return template
        build = admin.BUILD + digest
        # Two grades may need the same new template at once: one builds, the other waits for this lock.
        with admin.locked(self._admin, build):
            if not self._exists(template):
                progress(f"seeding {seed.source} {_words(seed)}".rstrip() + " (kept for the next grades)")
                admin.drop(self._admin, build)
                self._build(build, _owner(template), seed)
                admin.run(self._admin, "alter database {} rename to {}", build, template)
        return template

    def _exists(self, database: str) -> bool:
        return (
            self._admin.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
            is not None
        )

    def _build(self, build: str, owner: str, seed: Seed) -> None:
        if not self._admin.execute("select 1 from pg_roles where rolname = %s", [owner]).fetchone():
            admin.run(self._admin, "create role {} nologin", owner)
        # One locale for all backends, so that sorting and lower() give the same everywhere.
        admin.run(
            self._admin, "create database {} template template0 encoding 'UTF8' " + self._locale(), build
        )
        admin.run(self._admin, "revoke all on database {} from public", build)
        with admin.connect(self._server, build) as inside:
            admin.add_statement_statistics(inside)
            admin.run(inside, "alter schema public owner to {}", owner)
            admin.run(self._admin, "grant connect, create on database {} to {}", build, owner)
            _plant(inside, owner, seed)
            inside.execute("vacuum (analyze)")
            admin.run(self._admin, "revoke all on database {} from {}", build, owner)
        admin.run(self._admin, "alter database {} with is_template true allow_connections false", build)

    def _locale(self) -> LiteralString:
        if self._admin.info.server_version >= _BUILTIN_LOCALE:
            return "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"
        return "locale_provider libc lc_collate 'C' lc_ctype 'C.UTF-8'"


def _forget_statements(connection: "Connection", database: str) -> None:
    """Drop the counters of a lease: each reading of the view costs in proportion to all that is in it."""
    connection.execute(
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
            admin.run(inside, "set local role {}", owner)
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


def _owner(template: str) -> str:
    return template.replace(_TEMPLATE, "labrunner_owner_")


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
