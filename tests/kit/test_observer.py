from collections.abc import Callable

import psycopg
import pytest

from labrunner.errors import AuthoringError
from labrunner.kit import Database, Failure
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import split


def script(text: str) -> Script:
    return Script("x.sql", split(text, "x.sql"))


def test_a_grader_sees_the_learners_tables_from_outside(shared: Database) -> None:
    assert shared.observe("select count(*) from public.orders where total = $1", 7) == [(800,)]
    assert shared.observe("select current_user, current_setting('search_path')") == [
        (shared.endpoint.observer.user, "pg_catalog")
    ]


def test_a_grader_changes_nothing_by_looking(shared: Database) -> None:
    with pytest.raises(AuthoringError, match="cannot execute DELETE in a read-only transaction"):
        shared.observe("delete from public.orders")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("drop table orders", 'relation "public.orders" does not exist'),
        ("alter table orders drop total", 'column "total" does not exist'),
        ("alter table orders alter total type text", "operator does not exist: text = integer"),
        ("revoke all on orders from current_user", "permission denied for table orders"),
    ],
)
def test_what_the_learner_took_away_is_the_learners_fault(
    database: Database, change: str, words: str
) -> None:
    database.apply(script(change))
    with pytest.raises(Failure) as caught:
        database.observe("select * from public.orders where total = 1")
    assert caught.value.message == f"the database is no longer as the lab made it: {words}"


def test_a_mistake_in_the_graders_query_is_the_graders(shared: Database) -> None:
    with pytest.raises(AuthoringError) as caught:
        shared.observe("select  1 +\n from x")
    assert str(caught.value).startswith(
        "the grader's query 'select 1 + from x' does not run: syntax error at"
    )
    assert caught.value.hint.endswith("its search_path is pg_catalog: write public.orders")
    with pytest.raises(AuthoringError, match="cannot adapt type 'object'"):
        shared.observe("select $1", object())
    with pytest.raises(AuthoringError, match="more than 1 000 000 rows"):
        shared.observe("select generate_series(1, 1000001)")


def test_functions_of_the_learners_cannot_pose_as_the_systems(database: Database) -> None:
    database.apply(
        script(
            "create function count(text) returns bigint language sql as 'select 42::bigint';"
            "create function public.lower(text) returns text language sql as 'select ''mine'''"
        )
    )
    assert database.observe("select lower('ABC')") == [("abc",)]


def test_policies_of_the_learners_do_not_run_for_the_grader(database: Database) -> None:
    database.apply(
        script(
            "alter table orders enable row level security, force row level security;"
            "create policy p on orders using (false)"
        )
    )
    with pytest.raises(Failure, match="query would be affected by row-level security policy"):
        database.observe("select count(*) from public.orders")


def test_a_query_of_the_graders_is_bounded_too(hasty: Database) -> None:
    with pytest.raises(AuthoringError, match="canceling statement due to user request"):
        hasty.observe("select pg_sleep(60)")
    assert hasty.observe("select 1") == [(1,)]


def test_a_grader_waits_for_no_lock_for_ever(
    hasty: Database, admin: Callable[[Database], psycopg.Connection]
) -> None:
    with admin(hasty) as holder:
        holder.execute("begin; lock table orders")
        with pytest.raises(AuthoringError, match="canceling statement"):
            hasty.observe("select count(*) from public.orders")
        with pytest.raises(Failure, match=r"did not finish within 0\.5 s"):
            hasty.run("select count(*) from orders")
        holder.execute("rollback")


TAKEOVER = """
create function take_over() returns bool immutable language plpgsql as $$
begin
    perform set_config('search_path', 'public, pg_catalog', false);
    perform set_config('default_transaction_read_only', 'off', false);
    return true;
end $$;
create index trap on orders (total) where take_over();
create table parted (a int) partition by range ((a + take_over()::int));
create table part partition of parted for values from (0) to (9);
alter table part add check (take_over());
create view looks as select take_over();
create function sum(numeric, numeric) returns numeric language sql as 'select $1';
create function md5(text) returns text language sql as $$ select 'nothing to see' $$;
create function pg_get_functiondef(oid) returns text language sql as $$ select 'nothing to see' $$;
"""


def test_code_of_the_learners_that_runs_for_the_grader_takes_nothing_over(database: Database) -> None:
    database.apply(script(TAKEOVER))
    # Planning a query on the table evaluates the predicate of its index, as the one who asks.
    assert database.observe("select count(*) from public.orders where total = 1") == [(800,)]
    assert database.observe("select current_setting('search_path'), md5('x')") == [
        ("pg_catalog", "9dd4e461268c8034f5c8564e155c67a6")
    ]
    objects, indexes = database.objects(), database.indexes()
    assert not [line for line in objects if "nothing to see" in line]
    assert database.objects() == objects
    assert database.indexes() == indexes
    assert database._observer.rows("select current_setting('search_path')") == [("pg_catalog",)]
    with pytest.raises(AuthoringError, match="read-only transaction"):
        database.observe("delete from public.orders")


def test_a_learner_cannot_end_the_graders_sessions(database: Database) -> None:
    name = database.endpoint.observer.user
    end_it = f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{name}'"
    with pytest.raises(Failure, match=r"permission denied to terminate process|must be a member of the role"):
        database.apply(script(end_it))
    assert database.observe("select 1") == [(1,)]
