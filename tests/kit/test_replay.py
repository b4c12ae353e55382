import datetime as dt

from labrunner.kit import Statement, replay


def test_a_replay_runs_the_files_and_then_each_statement_with_its_values() -> None:
    text = replay(
        ["indexes.sql"],
        (
            Statement("select * from goods where name = $1 and made = $2;", 1, "a.sql"),
            ("O'Brien", dt.date(2024, 1, 2)),
        ),
        (Statement("select 1", 1, "b.sql"), ()),
    )
    assert text.splitlines()[1:] == [
        "\\i indexes.sql",
        "SET client_min_messages = error;",
        "VACUUM (ANALYZE);",
        "RESET client_min_messages;",
        "",
        "PREPARE asked_1 AS",
        "select * from goods where name = $1 and made = $2;",
        "EXPLAIN (ANALYZE, BUFFERS) EXECUTE asked_1('O''Brien', '2024-01-02'::date);",
        "EXECUTE asked_1('O''Brien', '2024-01-02'::date);",
        "",
        "PREPARE asked_2 AS",
        "select 1;",
        "EXPLAIN (ANALYZE, BUFFERS) EXECUTE asked_2;",
        "EXECUTE asked_2;",
    ]
