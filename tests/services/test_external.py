"""A server that somebody else runs: leased like ours, neither started nor stopped, and left clean."""

import os
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from labrunner.errors import MachineError
from labrunner.model import Endpoint
from labrunner.services import Broker, containers, orphans, postgres, registry, stop_all
from labrunner.services.places import places
from labrunner.services.server import Server
from labrunner.waiting import poll

Environ = dict[str, str]
OpenBroker = Callable[..., AbstractContextManager[Broker]]


@contextmanager
def outside(environ: Environ) -> Iterator[Server]:
    service = registry.service("postgres")
    with containers.run(service, f"tests/outside-{os.getpid()}", environ, lambda _: None) as server:
        yield server


@pytest.fixture
def server(containers_backend: str, home: Environ) -> Iterator[Server]:
    assert containers_backend
    with outside(home) as running:
        yield running


def url(server: Server) -> str:
    password = urllib.parse.quote(server.password, safe="")
    return f"postgresql://{server.user}:{password}@{server.host}:{server.port}/{server.database}"


def ours(server: Server) -> set[str]:
    """Everything on the server that labrunner made for a lease or left half-made."""
    with psycopg.connect(url(server)) as session:
        found = session.execute(
            "select datname from pg_database union select rolname from pg_roles"
        ).fetchall()
    return {name for (name,) in found if name.startswith(("labrunner_lease_", "labrunner_build_"))}


@pytest.fixture
def environ(own_home: Environ, server: Server) -> Environ:
    return {**own_home, "LABRUNNER_POSTGRES_URL": url(server)}


def lease(shop: Broker) -> Endpoint:
    endpoint = shop.lease("postgres", {})
    with psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname=endpoint.name,
        user=endpoint.learner.user,
        password=endpoint.learner.password,
    ) as session:
        assert session.execute("select count(*) from goods").fetchone() == (100,)
    return endpoint


def test_an_external_server_is_leased_and_left_clean(
    open_broker: OpenBroker, environ: Environ, server: Server
) -> None:
    with open_broker(environ, "external") as shop:
        endpoint = lease(shop)
        assert (endpoint.backend, endpoint.port) == ("external", server.port)
        assert endpoint.name in ours(server)
    assert poll(lambda: not ours(server), timeout_s=10)
    assert stop_all(environ) == 1
    assert registry.service("postgres").probe(server) is not None


def test_what_a_killed_run_left_on_a_server_is_dropped_by_the_next(
    open_broker: OpenBroker, environ: Environ, server: Server
) -> None:
    with psycopg.connect(url(server), autocommit=True) as session:
        session.execute("create database labrunner_build_half")
        session.execute("create role labrunner_lease_old_learner")
        session.execute("create database labrunner_lease_old")
        session.execute("create database labrunner_lease_held")
    with open_broker(environ, "external") as shop:
        mine = lease(shop)
        left = ours(server)
    assert {name for name in left if not name.startswith(mine.lease)} == set()


def test_a_lease_that_is_held_is_not_dropped_by_another_keeper(
    open_broker: OpenBroker, environ: Environ, server: Server, new_home: Callable[[], Environ]
) -> None:
    other = {**new_home(), "LABRUNNER_POSTGRES_URL": environ["LABRUNNER_POSTGRES_URL"]}
    with open_broker(environ, "external") as shop:
        first = lease(shop)
        with open_broker(other, "external") as theirs:
            second = lease(theirs)
            assert {first.name, second.name} <= ours(server)
    assert [kept.backend for kept in orphans.recorded(places(other))] == ["external"]


def test_a_server_that_is_too_old_is_refused(home: Environ) -> None:
    old = Server("postgres", "external", "14.9", "nowhere", 1, "u", "p", "d")
    with pytest.raises(
        MachineError, match=r"the postgres server \(external\) is version 14\.9; expected 15"
    ) as refused:
        postgres.prepare(old)
    assert "LABRUNNER_POSTGRES_IMAGE" in refused.value.hint
    assert home


def test_postgres_15_is_leased_like_18(
    open_broker: OpenBroker, own_home: Environ, containers_backend: str
) -> None:
    image = os.environ.get("LABRUNNER_TEST_POSTGRES15_IMAGE", "postgres:15-alpine")
    with open_broker({**own_home, "LABRUNNER_POSTGRES_IMAGE": image}, containers_backend) as shop:
        assert lease(shop).version.startswith("15.")
