from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from labrunner.kit import Database, NotJudged
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import split

Enter = Callable[[Database], psycopg.Connection]

# More kinds of statements than the fragile server remembers.
MANY = """
create function many() returns int language plpgsql as $$
begin
    for i in 1..400 loop
        execute 'select 1' || (
            select string_agg(case when i >> bit & 1 = 1 then '+ 1' else '- 1' end, ' ')
            from generate_series(0, 9) bit);
    end loop;
    return 1;
end $$
"""


def test_a_server_without_statement_counters_cannot_judge(database: Database, admin: Enter) -> None:
    with admin(database) as connection:
        connection.execute("drop extension pg_stat_statements")
    with pytest.raises(NotJudged) as caught:
        database.run("select 1")
    assert caught.value.message.startswith("the Postgres server does not count statements: ")
    assert "shared_preload_libraries=pg_stat_statements" in caught.value.remedy
    assert database.explain("select 1").shared_blocks == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("pg_stat_statements.track = 'top'", "pg_stat_statements.track is top"),
        ("pg_stat_statements.track_utility = off", "pg_stat_statements.track_utility is off"),
    ],
)
def test_a_server_that_counts_some_statements_only_cannot_judge(
    open_database: Callable[..., Database], admin: Enter, setting: str, words: str
) -> None:
    with open_database() as database, admin(database) as connection:
        connection.execute(f"alter role {database.endpoint.observer.user} set {setting}")
        again = Database(database.endpoint, database._limits, lambda: None)
        with pytest.raises(NotJudged, match="does not count every statement") as caught:
            again.run("select 1")
        again.close()
    assert words in caught.value.message


def test_a_server_that_does_not_count_the_learner_cannot_judge(database: Database, admin: Enter) -> None:
    with admin(database) as connection:
        connection.execute(f"alter role {database.endpoint.learner.user} set compute_query_id = off")
    with pytest.raises(NotJudged, match="did not count the statements of the learner's role") as caught:
        database.run("select 1")
    assert "compute_query_id=auto" in caught.value.remedy


def test_a_server_that_keeps_forgetting_cannot_judge(
    fragile: Any, new_leases: Callable[..., Any], open_database: Callable[..., Database]
) -> None:
    database = open_database(new_leases(fragile))
    database.apply(Script("x.sql", split(MANY, "x.sql")))
    with pytest.raises(NotJudged) as caught:
        database.run("select many()")
    assert (
        caught.value.message
        == "the Postgres server kept forgetting the cost of the statement `select many()`"
    )
    assert caught.value.remedy == "raise pg_stat_statements.max on the server"
    with pytest.raises(NotJudged, match="kept forgetting"):
        database.run("insert into orders (customer_id, placed, total) select many(), now(), 5", write=True)
    assert database.observe("select count(*) from public.orders") == [(40_001,)]


def test_what_others_do_in_the_meantime_does_not_count(database: Database, admin: Enter) -> None:
    with admin(database) as connection:
        connection.execute("select count(*) from orders")
        assert database.run("select 1").blocks == 0
