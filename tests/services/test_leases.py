"""A lease of Postgres: what it starts from, what its two roles may do, and that nothing of it stays."""

import contextlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import psycopg.errors
import pytest

from labrunner.errors import AuthoringError
from labrunner.model import Endpoint
from labrunner.services import Broker
from labrunner.waiting import poll

Lease = Callable[..., Endpoint]
Enter = Callable[..., psycopg.Connection]
OpenBroker = Callable[..., AbstractContextManager[Broker]]


def names(connection: psycopg.Connection) -> set[str]:
    """All databases and roles on the server, as the observer of some lease sees them."""
    found = connection.execute("select datname from pg_database union select rolname from pg_roles")
    return {row[0] for row in found}


def test_a_lease_holds_what_the_seed_makes_of_the_parameters(lease: Lease, enter: Enter) -> None:
    few, many = lease(), lease(rows=2500)
    assert enter(few, few.learner).execute("select count(*) from goods").fetchone() == (100,)
    assert enter(many, many.learner).execute("select max(name) from goods where id = 2500").fetchone() == (
        "item 2500",
    )


def test_a_lease_is_named_with_its_backend_and_version(lease: Lease, shop: Broker, backend: str) -> None:
    endpoint = lease()
    assert endpoint.backend == backend
    assert int(endpoint.version.split(".")[0]) >= 15
    assert [(use.name, use.backend, use.version) for use in shop.uses] == [
        ("postgres", backend, endpoint.version)
    ]


def test_what_one_lease_changes_no_other_sees(lease: Lease, enter: Enter) -> None:
    changed, other = lease(), lease()
    enter(changed, changed.learner).execute("delete from goods")
    assert enter(other, other.learner).execute("select count(*) from goods").fetchone() == (100,)


def test_a_template_is_seeded_once_for_a_content(
    open_broker: OpenBroker, home: dict[str, str], backend: str, said: list[str]
) -> None:
    seed = f"create table once (made_on text); insert into once values ('{backend}');"
    for _ in range(2):
        with open_broker(home, backend, seed) as shop:
            shop.lease("postgres", {})
    assert len([line for line in said if "seeding" in line]) == 1
    with open_broker(home, backend, seed + "\n-- another content") as shop:
        shop.lease("postgres", {})
    assert len([line for line in said if "seeding" in line]) == 2


def test_the_learner_owns_the_tables_but_not_the_database(lease: Lease, enter: Enter) -> None:
    endpoint = lease()
    session = enter(endpoint, endpoint.learner)
    session.execute("create index on goods (name)")
    session.execute("alter table goods add column price int")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f'alter database "{endpoint.name}" set enable_seqscan = off')
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f'drop database "{endpoint.name}"')


@pytest.mark.parametrize(
    "statement",
    [
        "create database mine",
        "create role mine",
        "alter role current_user superuser",
        "copy goods from program 'id'",
        "copy goods to '/tmp/labrunner-leak'",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
        "create extension pg_stat_statements",
        "create language plpython3u",
        "set session authorization postgres",
        "alter system set fsync = on",
        "set temp_file_limit = -1",
        "set pg_stat_statements.track = none",
        "select * from labrunner.pg_stat_statements",
        "create event trigger mine on ddl_command_start execute function pg_sleep()",
        "create schema other",
        "grant pg_monitor to current_user",
    ],
)
def test_the_learner_is_refused(statement: str, lease: Lease, enter: Enter) -> None:
    endpoint = lease()
    session = enter(endpoint, endpoint.learner)
    with pytest.raises(psycopg.Error) as refused:
        session.execute(statement)
    assert not isinstance(refused.value, psycopg.errors.SyntaxError)
    assert not session.broken


def test_the_learner_enters_no_other_database(lease: Lease, enter: Enter) -> None:
    mine, other = lease(), lease()
    found = (
        enter(mine, mine.observer).execute("select datname from pg_database where datallowconn").fetchall()
    )
    assert (other.name,) in found
    for (database,) in found:
        if database != mine.name:
            # A lease of a test before this one may just be going.
            with pytest.raises(
                psycopg.OperationalError, match=r"permission denied for database|does not exist"
            ):
                enter(mine, mine.learner, database)


def test_the_observer_is_no_superuser_and_sees_what_it_must(lease: Lease, enter: Enter) -> None:
    endpoint = lease()
    learner, observer = enter(endpoint, endpoint.learner), enter(endpoint, endpoint.observer)
    rights = "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
    assert observer.execute(rights).fetchone() == (False, False, False)
    assert observer.execute("show search_path").fetchone() == ("pg_catalog",)
    learner.execute("revoke all on goods from public")
    assert observer.execute("select count(*) from public.goods").fetchone() == (100,)
    counted = observer.execute(
        "select sum(calls) from labrunner.pg_stat_statements s join pg_roles r on r.oid = s.userid"
        " where r.rolname = %s",
        [endpoint.learner.user],
    ).fetchone()
    assert counted is not None
    assert counted[0] >= 1


def test_the_observer_can_end_the_learners_session(lease: Lease, enter: Enter) -> None:
    endpoint = lease()
    learner, observer = enter(endpoint, endpoint.learner), enter(endpoint, endpoint.observer)
    assert observer.execute("select pg_terminate_backend(%s)", [learner.info.backend_pid]).fetchone() == (
        True,
    )
    with pytest.raises(psycopg.OperationalError):
        learner.execute("select 1")


def test_a_lease_given_back_leaves_nothing_even_with_sessions_open(
    shop: Broker, lease: Lease, enter: Enter
) -> None:
    gone, kept = lease(), lease()
    session = enter(gone, gone.learner)
    session.execute("alter role current_user set work_mem = '1MB'")
    session.execute("begin")
    shop.give_back(gone.lease)
    assert not {name for name in names(enter(kept, kept.observer)) if name.startswith(gone.lease)}
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    shop.give_back(gone.lease)


def test_leases_end_with_the_broker_that_asked_for_them(
    open_broker: OpenBroker, home: dict[str, str], backend: str, lease: Lease, enter: Enter
) -> None:
    kept = lease()
    watching = enter(kept, kept.observer)
    with contextlib.suppress(RuntimeError), open_broker(home, backend) as other:
        gone = other.lease("postgres", {})
        assert gone.name in names(watching)
        raise RuntimeError("as if the grade had broken off")
    assert poll(lambda: not any(n.startswith(gone.lease) for n in names(watching)), timeout_s=10)


def test_a_seed_with_an_error_is_the_labs_fault_with_file_and_line(
    open_broker: OpenBroker, home: dict[str, str], backend: str
) -> None:
    with (
        open_broker(home, backend, "create table fine (id int);\n\ncreate tabel broken (id int);\n") as shop,
        pytest.raises(AuthoringError, match=r'seed\.sql:3: .*syntax error at or near "tabel"') as refused,
    ):
        shop.lease("postgres", {})
    assert "one transaction" in refused.value.hint
    with open_broker(home, backend, "create extension plpython3u") as shop, pytest.raises(AuthoringError):
        shop.lease("postgres", {})


def test_a_service_or_parameter_that_the_lab_does_not_name_is_the_labs_fault(shop: Broker) -> None:
    with pytest.raises(AuthoringError, match=r"redis, which lab\.toml does not name") as refused:
        shop.lease("redis", {})
    assert "[services.redis]" in refused.value.hint
    with pytest.raises(AuthoringError, match="the parameter 'colour' of postgres") as refused:
        shop.lease("postgres", {"colour": "red"})
    assert "parameters" in refused.value.hint


def test_two_grades_that_need_the_same_new_template_both_get_it(
    open_broker: OpenBroker, home: dict[str, str], backend: str, said: list[str]
) -> None:
    seed = "create table twice (id int); insert into twice select generate_series(1, 20000);"
    got: list[Endpoint] = []

    def grade() -> None:
        with open_broker(home, backend, seed) as shop:
            got.append(shop.lease("postgres", {}))

    threads = [threading.Thread(target=grade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({endpoint.name for endpoint in got}) == 4
    assert len([line for line in said if "seeding" in line]) == 1


def test_twenty_leases_at_once_are_all_right(
    open_broker: OpenBroker, home: dict[str, str], backend: str, enter: Enter
) -> None:
    counts: list[tuple[int, object]] = []

    def grade(rows: int) -> None:
        with open_broker(home, backend) as shop:
            endpoint = shop.lease("postgres", {"rows": rows})
            counts.append(
                (rows, enter(endpoint, endpoint.learner).execute("select count(*) from goods").fetchone())
            )

    threads = [threading.Thread(target=grade, args=(100 + number % 3,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 20
    assert all(count == (rows,) for rows, count in counts)
