import os
import signal
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from labrunner.errors import AuthoringError
from labrunner.kit import Database, Failure, NotJudged, Run, Statement
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import split
from labrunner.waiting import poll

Enter = Callable[[Database], psycopg.Connection]


def script(text: str) -> Script:
    return Script("indexes.sql", split(text, "indexes.sql"))


def refusal(act: Callable[[], object]) -> Failure:
    with pytest.raises(Failure) as caught:
        act()
    return caught.value


def query(text: str) -> Statement:
    (statement,) = split(text, "queries/a.sql")
    return statement


# ── scripts ─────────────────────────────────────────────────────────────────────────────────────


def test_a_script_runs_statement_by_statement_as_the_learner(database: Database) -> None:
    database.apply(
        script(
            "create index a on orders (total);\nbegin; create table t (x int); commit;"
            "create index concurrently b on customers (city); vacuum; select 1"
        )
    )
    assert {index.name for index in database.indexes()} >= {"a", "b"}
    assert database.observe("select tableowner from pg_tables where tablename = 't'") == [
        (database.endpoint.learner.user,)
    ]


def test_an_error_is_told_with_file_line_detail_and_hint(database: Database) -> None:
    caught = refusal(
        lambda: database.apply(
            script("create index a on orders (total);\n\ncreate index b\n  on orders (totl);")
        )
    )
    assert caught.message == 'indexes.sql, line 3: column "totl" does not exist'
    assert caught.evidence["sqlstate"] == "42703"
    caught = refusal(lambda: database.apply(script("select 1;\nselect id\n from orders\n where totl = 1;")))
    assert caught.message == (
        'indexes.sql, line 4: column "totl" does not exist\n'
        'Hint: Perhaps you meant to reference the column "orders.total".'
    )
    caught = refusal(lambda: database.apply(script("insert into customers values (1, 'x', 'y', 1)")))
    assert caught.message == (
        'indexes.sql, line 1: duplicate key value violates unique constraint "customers_pkey"\n'
        "Detail: Key (id)=(1) already exists."
    )
    assert [index.name for index in database.indexes() if index.name == "a"] == ["a"]


def test_an_error_within_a_function_says_where(database: Database) -> None:
    caught = refusal(lambda: database.apply(script("do $$ begin\n perform 1/0; end $$")))
    assert caught.message == "indexes.sql, line 1: division by zero"
    assert "PL/pgSQL function inline_code_block line 2" in str(caught.evidence["context"])


def test_a_script_that_leaves_its_transaction_open_fails(database: Database) -> None:
    caught = refusal(lambda: database.apply(script("begin; create index a on orders (total);")))
    assert caught.message == "indexes.sql leaves a transaction open: end it with COMMIT"
    assert "a" not in {index.name for index in database.indexes()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop database postgres", "must be owner of database postgres"),
        ("alter role postgres password 'x'", "permission denied to alter role"),
        ("create role friend", "permission denied to create role"),
        ("copy customers to program 'id'", "permission denied to COPY to or from an external program"),
        ("select pg_read_file('/etc/passwd')", "permission denied for function pg_read_file"),
        ("select * from labrunner.pg_stat_statements", "permission denied for schema labrunner"),
        ("select labrunner.pg_stat_statements_reset()", "permission denied for schema labrunner"),
        ("set session authorization postgres", 'permission denied to set session authorization "postgres"'),
    ],
)
def test_the_learners_role_can_do_nothing_outside(database: Database, text: str, message: str) -> None:
    caught = refusal(lambda: database.apply(script(text)))
    # Postgres 15 says "must be superuser …" or leaves out the name where later versions tell more.
    assert caught.message.startswith("indexes.sql, line 1: ")
    assert (
        message in caught.message
        or "must be superuser" in caught.message
        or "permission denied" in caught.message
    )


def test_copying_from_and_to_the_client_is_refused(database: Database) -> None:
    for text in ("copy customers to stdout", "copy customers from stdin"):
        caught = refusal(lambda text=text: database.apply(script(text)))  # type: ignore[misc]
        assert caught.message == (
            "indexes.sql, line 1: COPY from or to the client has nothing to read from or write to here"
        )
    assert database.run("select count(*) from customers").rows == [(20_000,)]


def test_rows_of_a_script_are_dropped_however_many_they_are(database: Database) -> None:
    database.apply(script("select generate_series(1, 1200000)"))


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────

ENDLESS = "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r"
STUBBORN = """do $$ begin
    loop
        begin perform pg_sleep(60); exception when query_canceled then null; end;
    end loop;
end $$
"""


@pytest.mark.parametrize("text", ["select pg_sleep(1e6)", ENDLESS])
def test_what_does_not_end_is_ended(hasty: Database, text: str) -> None:
    assert (
        refusal(lambda: hasty.apply(script(text))).message
        == "indexes.sql, line 1 did not finish within 0.5 s"
    )
    assert refusal(lambda: hasty.run(text)).message.endswith("did not finish within 0.5 s")
    assert (
        refusal(lambda: hasty.explain(query(text))).message
        == "queries/a.sql, line 1 did not finish within 0.5 s"
    )


def test_switching_off_the_servers_deadline_does_not_help(hasty: Database) -> None:
    caught = refusal(lambda: hasty.apply(script("set statement_timeout = 0;\nselect pg_sleep(1e6)")))
    assert caught.message == "indexes.sql, line 2 did not finish within 0.5 s"


def test_trapping_the_cancellation_does_not_help(hasty: Database) -> None:
    assert (
        refusal(lambda: hasty.apply(script(STUBBORN))).message
        == "indexes.sql, line 1 did not finish within 0.5 s"
    )
    sessions = "select count(*) from pg_stat_activity where usename = $1"
    assert hasty.observe(sessions, hasty.endpoint.learner.user) == [(0,)]


def test_a_statement_that_sets_itself_a_shorter_deadline_fails_in_postgres_words(database: Database) -> None:
    caught = refusal(lambda: database.apply(script("set statement_timeout = 1; select pg_sleep(60)")))
    assert caught.message == "indexes.sql, line 1: canceling statement due to statement timeout"


def test_a_session_that_does_not_react_at_all_is_left_behind(hasty: Database, admin: Enter) -> None:
    stopped: list[int] = []

    def stop_it(look: psycopg.Connection) -> list[int]:
        rows = look.execute(
            "select pid from pg_stat_activity where usename = %s and query like '%%pg_sleep%%'",
            [hasty.endpoint.learner.user],
        ).fetchall()
        for (pid,) in rows:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        return stopped

    with admin(hasty) as look:
        freezer = threading.Thread(target=lambda: poll(lambda: stop_it(look), timeout_s=10))
        freezer.start()
        try:
            caught = refusal(lambda: hasty.run(query("select pg_sleep(1e6)")))
        finally:
            freezer.join()
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    assert caught.message == "queries/a.sql, line 1 did not finish within 0.5 s"


# ── a session's end ─────────────────────────────────────────────────────────────────────────────


def test_a_statement_that_ends_its_own_session_fails(database: Database) -> None:
    caught = refusal(lambda: database.run(query("select pg_terminate_backend(pg_backend_pid())")))
    assert caught.message == (
        "queries/a.sql, line 1 ended its own session: terminating connection due to administrator command"
    )
    assert database.run("select 1").rows == [(1,)]


def test_a_role_that_locked_itself_out_fails(database: Database) -> None:
    name = database.endpoint.learner.user
    database.apply(script(f"alter role {name} password 'another'"))
    caught = refusal(lambda: database.run("select 1"))
    assert caught.message == (
        f'the lab\'s role can no longer enter its database: password authentication failed for user "{name}"'
    )


def test_a_server_that_goes_away_is_not_the_learners_fault(
    fragile: Any, new_leases: Callable[..., Any], open_database: Callable[..., Database]
) -> None:
    source = new_leases(fragile)
    database = open_database(source)
    with fragile.connect() as look:

        def kill_it() -> bool:
            running = look.execute(
                "select 1 from pg_stat_activity where query like 'select pg_sleep%'"
            ).fetchone()
            if running:
                fragile.process.send_signal(signal.SIGQUIT)
            return running is not None

        killer = threading.Thread(target=lambda: poll(kill_it, timeout_s=10))
        killer.start()
        with pytest.raises(NotJudged) as caught:
            database.run("select pg_sleep(9)")
        killer.join()
    assert caught.value.message == (
        "the Postgres server does not answer any more: "
        "it went away while the statement `select pg_sleep(9)` ran"
    )
    assert caught.value.remedy.startswith("grade again")
    fragile.process.wait()
    with pytest.raises(NotJudged, match="does not answer any more"):
        database.run("select 1")
    with pytest.raises(NotJudged, match="does not answer any more"):
        database.observe("select 1")
    with pytest.raises(NotJudged, match="does not answer any more"):
        database.indexes()
    with pytest.raises(NotJudged, match="does not answer any more"):
        open_database(_Elsewhere(database))
    source.give_back = lambda _: None


class _Elsewhere:
    """Leases of a server that has gone."""

    def __init__(self, database: Database) -> None:
        self._endpoint = database.endpoint

    def lease(self, _service: str, _parameters: object) -> Any:
        return self._endpoint


# ── one execution ───────────────────────────────────────────────────────────────────────────────


def test_a_query_brings_its_rows_and_its_cost(shared: Database) -> None:
    run = shared.run("select id, email from customers where id = $1", 7)
    assert (run.columns, run.rows, run.statements) == (("id", "email"), [(7, "user7@example.org")], 1)
    assert 3 <= run.blocks <= 10


def test_what_reads_no_table_costs_no_block(shared: Database) -> None:
    assert shared.run("select 1 as one") == Run(("one",), [(1,)], 0, 1)


def test_the_cost_is_that_of_one_execution_each_time(shared: Database) -> None:
    costs = {shared.run("select count(*) from orders where total = 7").blocks for _ in range(3)}
    assert len(costs) == 1
    assert costs.pop() > 200


def test_parameters_take_the_type_that_the_statement_gives_them(shared: Database) -> None:
    text = "select $1::int, $2::numeric, upper($3), $4::bool, $5::int[], $6::date + 1"
    rows = shared.run(text, 1, Decimal("1.5"), "x", None, [1, 2], "2024-02-28").rows
    assert [str(value) for value in rows[0]] == ["1", "1.5", "X", "None", "[1, 2]", "2024-02-29"]


def test_another_number_of_parameters_fails_with_the_files_name(shared: Database) -> None:
    for text in ("select 1", "select $1::int + $2::int"):
        assert refusal(lambda text=text: shared.run(query(text), 1)).message == (  # type: ignore[misc]
            "queries/a.sql, line 1 takes another number of parameters than the 1 that it is given"
        )


def test_parameters_without_a_form_in_sql_are_the_authors_mistake(shared: Database) -> None:
    with pytest.raises(
        AuthoringError, match="its parameters cannot be sent to Postgres: cannot adapt"
    ) as caught:
        shared.run("select $1", object())
    assert caught.value.hint == "pass numbers, texts, dates and the like"


def test_one_statement_is_no_more_than_one(shared: Database) -> None:
    caught = refusal(lambda: shared.run("select 1; select 2"))
    assert caught.message == (
        "the statement `select 1; select 2`: cannot insert multiple commands into a prepared statement"
    )


def test_a_long_statement_of_the_grader_is_named_by_its_beginning(shared: Database) -> None:
    caught = refusal(lambda: shared.run("select nothing_like_it,\n" + "1, " * 100 + "1"))
    assert caught.message.startswith("the statement `select nothing_like_it, 1, 1,")
    assert "…`: column" in caught.message


def test_a_run_reads_only_and_leaves_nothing(database: Database) -> None:
    caught = refusal(lambda: database.run("delete from orders"))
    assert caught.message.endswith("cannot execute DELETE in a read-only transaction")
    caught = refusal(lambda: database.run("do $$ begin commit; delete from orders; end $$"))
    assert caught.message.endswith("invalid transaction termination")
    caught = refusal(
        lambda: database.run("do $$ begin set transaction read write; delete from orders; end $$")
    )
    assert "read-write" in caught.message
    assert database.run("select count(*) from orders").rows == [(40_000,)]


def test_a_run_that_writes_is_committed(database: Database) -> None:
    run = database.run("delete from orders where id <= $1 returning id", 2, write=True)
    assert sorted(run.rows) == [(1,), (2,)]
    assert run.statements == 1
    assert database.run("select count(*) from orders").rows == [(39_998,)]


def test_a_commit_that_fails_is_blamed_on_the_statement(database: Database) -> None:
    database.apply(
        script(
            "alter table orders add constraint late foreign key (customer_id) references customers"
            " deferrable initially deferred"
        )
    )
    caught = refusal(
        lambda: database.run(
            query("insert into orders (customer_id, placed, total) values (0, now(), 1)"), write=True
        )
    )
    assert caught.message.startswith("queries/a.sql, line 1: insert or update on table")


def test_nested_statements_count(database: Database) -> None:
    database.apply(
        script("""
        create function each() returns bigint language plpgsql as $$
        declare total bigint := 0; n bigint;
        begin
            for i in 1..10 loop
                select count(*) into n from orders where id = i;
                total := total + n;
            end loop;
            return total;
        end $$""")
    )
    run = database.run("select each()")
    assert (run.rows, run.statements) == ([(10,)], 11)
    assert run.blocks >= 30


def test_statements_that_run_while_a_query_is_planned_are_counted(database: Database) -> None:
    database.apply(
        script(
            "create function answer() returns bigint immutable language plpgsql as"
            " $$ declare n bigint; begin select count(*) into n from orders; return n; end $$"
        )
    )
    run = database.run("select answer()")
    assert (run.rows, run.statements) == ([(40_000,)], 2)


def test_transaction_commands_of_the_learner_count_as_theirs(shared: Database) -> None:
    for text in ("rollback", "commit", "commit and chain"):
        assert shared.run(text).statements == 1
    assert shared.run("prepare x as select 1").rows == []


def test_values_that_python_has_no_type_for_come_as_text(database: Database) -> None:
    database.apply(script("create type mood as enum ('fine'); create type pair as (a int, b text)"))
    run = database.run(
        """select 'fine'::mood, row(1, 'x')::pair, '{"a": 1, "a": 2}'::json, '{"a": 1.0}'::jsonb"""
    )
    assert run.rows == [("fine", "(1,x)", '{"a": 1, "a": 2}', '{"a": 1.0}')]


def test_a_value_that_python_cannot_hold_fails_in_words(shared: Database) -> None:
    caught = refusal(lambda: shared.run(query("select date 'infinity'")))
    assert caught.message.startswith("queries/a.sql, line 1: returned a value that cannot be read: ")


def test_too_many_rows_and_too_many_bytes_fail(shared: Database) -> None:
    caught = refusal(lambda: shared.run(query("select generate_series(1, 1000001)")))
    assert caught.message == "queries/a.sql, line 1: returned more than 1 000 000 rows"
    caught = refusal(lambda: shared.run(query("select repeat('x', 1000000) from generate_series(1, 80)")))
    assert caught.message == "queries/a.sql, line 1: returned more than 64 MB"


# ── settings ────────────────────────────────────────────────────────────────────────────────────


def test_settings_do_not_carry_over_from_script_role_or_session(database: Database, admin: Enter) -> None:
    name = database.endpoint.learner.user
    settings = {
        "enable_seqscan": "off", "work_mem": "'1GB'", "search_path": "pg_temp", "random_page_cost": "100",
        "default_transaction_read_only": "on", "statement_timeout": "'1ms'", "TimeZone": "'Asia/Kathmandu'",
        "exit_on_error": "on", "local_preload_libraries": "'none_such'", "enable_indexscan": "off",
    }  # fmt: skip
    database.apply(
        script("".join(f"alter role {name} set {key} = {value};" for key, value in settings.items()))
    )
    database.apply(script("set enable_seqscan = off; set search_path = pg_catalog"))
    with admin(database) as look:
        look.execute(f"alter database {database.endpoint.name} set enable_bitmapscan = off")
    shown = database.run(
        "select name || '=' || setting from pg_settings where name = any ($1::text[]) order by 1",
        [*settings, "enable_bitmapscan", "jit", "max_parallel_workers_per_gather"],
    ).rows
    assert dict(line.split("=", 1) for (line,) in shown) == {
        "TimeZone": "UTC", "default_transaction_read_only": "off", "enable_bitmapscan": "on",
        "exit_on_error": "off", "enable_indexscan": "on", "enable_seqscan": "on", "jit": "off",
        "local_preload_libraries": "",
        "max_parallel_workers_per_gather": "0", "random_page_cost": "4", "search_path": "public",
        "statement_timeout": "10000", "work_mem": "4096",
    }  # fmt: skip


def test_every_setting_that_changes_plans_is_fixed_by_the_connection(shared: Database) -> None:
    rows = shared.run(
        "select name from pg_settings"
        " where context = 'user' and source <> 'client' and category <> 'Customized Options'"
        " and (category like 'Query Tuning%' or category like 'Resource Usage%' or name = 'search_path')"
    ).rows
    assert rows == []


# ── plans ───────────────────────────────────────────────────────────────────────────────────────


def test_what_has_no_plan_fails_with_the_place(shared: Database) -> None:
    caught = refusal(lambda: shared.explain(query("\n\ncreate index a\n on orders (total)")))
    assert caught.message == 'queries/a.sql, line 3: syntax error at or near "index"'
    caught = refusal(lambda: shared.explain(query("select id\nfrom orders\nwhere totl = 1")))
    assert caught.message.startswith('queries/a.sql, line 3: column "totl" does not exist')


def test_a_plan_of_a_write_is_refused(shared: Database) -> None:
    caught = refusal(lambda: shared.explain("delete from orders"))
    assert caught.message.endswith("cannot execute DELETE in a read-only transaction")


def test_a_statement_that_a_rule_rewrote_to_nothing_has_no_plan(database: Database) -> None:
    database.apply(script("create rule r as on delete to orders do instead nothing"))
    caught = refusal(lambda: database.explain(query("delete from orders")))
    assert caught.message == "queries/a.sql, line 1 has no plan that can be read"


def test_a_plan_nested_hundreds_deep_is_read_or_refused(shared: Database) -> None:
    def nested(depth: int) -> Statement:
        return query("select * from (" * depth + "select 1 as x" + " limit 5) s" * depth)

    assert len(shared.explain(nested(200)).nodes) >= 200
    caught = refusal(lambda: shared.explain(nested(600)))
    assert caught.message == "queries/a.sql, line 1 has no plan that can be read"


# ── the grader's own work ───────────────────────────────────────────────────────────────────────


def test_rows_are_inserted_as_the_learner(database: Database) -> None:
    database.apply(
        script(
            "create table seen (who text); create function note() returns trigger language plpgsql as"
            " $$ begin insert into seen values (current_user || session_user); return new; end $$;"
            " create trigger spy before insert on customers for each row execute function note()"
        )
    )
    database.insert("public.customers", ("id", "email", "spent"), [(50_001, "a\tb\\", Decimal("1.5"))])
    assert database.run("select email, city, spent from customers where id = 50001").rows == [
        ("a\tb\\", None, Decimal("1.5"))
    ]
    assert database.run("select who from seen").rows == [(database.endpoint.learner.user * 2,)]


def test_rows_that_do_not_fit_fail(database: Database) -> None:
    caught = refusal(lambda: database.insert("customers", ("id", "email", "spent"), [(1, "x", 1)]))
    assert "duplicate key value" in caught.message
    assert 'COPY "customers" ("id", "email", "spent") FROM STDIN' in caught.message
    assert "does not exist" in refusal(lambda: database.insert("no such", ("a",), [(1,)])).message


def test_values_without_a_form_in_sql_are_the_authors_mistake_in_rows_too(database: Database) -> None:
    with pytest.raises(AuthoringError, match="cannot adapt type 'object'"):
        database.insert("customers", ("id",), [(object(),)])


def test_an_insert_that_a_trigger_holds_up_is_ended(open_database: Callable[..., Database]) -> None:
    database = open_database(statement_s=5, check_s=0.5)
    database.apply(
        script(
            "create function hold() returns trigger language plpgsql as"
            " $$ begin perform pg_sleep(60); return new; end $$;"
            " create trigger hold before insert on customers for each row execute function hold()"
        )
    )
    caught = refusal(lambda: database.insert("customers", ("id", "email", "spent"), [(50_001, "x", 1)]))
    assert caught.message.endswith("did not finish within 0.5 s")


def test_tables_are_emptied_together_and_their_counters_begin_anew(database: Database) -> None:
    database.truncate("orders", "public.customers")
    database.insert("customers", ("id", "email", "spent"), [(1, "x", 1)])
    run = database.run(
        "insert into orders (customer_id, placed, total) values (1, now(), 1) returning id", write=True
    )
    assert run.rows == [(1,)]


def test_vacuum_and_analyze_reach_every_table_of_the_learner(database: Database) -> None:
    database.apply(script('create table "a;b" as select generate_series(1, 1000) as x'))
    database.vacuum_analyze()
    rows = database.observe(
        "select relname, reltuples, relallvisible > 0 from pg_class where relname = 'a;b'"
    )
    assert rows == [("a;b", 1000.0, True)]


def test_without_tables_there_is_nothing_to_vacuum(database: Database) -> None:
    database.apply(script("drop table orders, customers"))
    database.vacuum_analyze()


def test_a_database_is_given_back_once(leases: Any, open_database: Callable[..., Database]) -> None:
    with open_database() as database:
        assert database.endpoint.lease in leases.held
    assert database.endpoint.lease not in leases.held
    database.close()
