import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.kit.statements import SplitError, Statement, split


def texts(source: str) -> list[str]:
    return [statement.text for statement in split(source)]


def test_statements_end_at_semicolons_and_know_their_lines() -> None:
    source = "-- first\nselect 1;\n\n  select\n2 ;;\nselect 3"
    assert split(source, "a.sql") == (
        Statement("select 1", 2, "a.sql"),
        Statement("select\n2", 4, "a.sql"),
        Statement("select 3", 6, "a.sql"),
    )


@pytest.mark.parametrize("source", ["", "  \n\t", "-- nothing", "/* nothing; /* at */ all */", ";;\n;"])
def test_a_text_without_statements_has_none(source: str) -> None:
    assert split(source) == ()


@pytest.mark.parametrize(
    "statement",
    [
        "select ';'",
        "select 'it''s; fine'",
        r"select '\'",
        r"select E'\';'",
        r"select e'\\', ';'",
        "select E'a'\n'\\';'",
        "select E'a' -- more\n -- and more\n  '\\';'",
        r"select U&'\0041;'",
        "select b'1;', x'f;', n';'",
        'select ";" from "a"";b"',
        'select U&"a;b"',
        "select $$;$$",
        "select $a$;$b$;$$;$a$",
        "select $ä1$;$ä1$",
        "select a$b;c$b from t".replace(";", ","),
        "select 1 -- ;\n+ 1",
        "select /* ; /* ; */ ; */ 1",
        "select 2*/* ; */3",
        "select $1, $2",
        "create rule r as on insert to t do (delete from a; delete from b)",
        "select (((';')))",
        "select fooe(';')",
        "select typ('a;')",
        "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC insert into t values (1); END",
        "create or replace function f() returns int language sql begin atomic select 1; end",
        "create procedure p() language plpgsql as $$ begin; end $$",
    ],
)
def test_semicolons_inside_do_not_end_a_statement(statement: str) -> None:
    assert texts(f"{statement};\nselect 'next'") == [statement, "select 'next'"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("begin; select 1; end;", ["begin", "select 1", "end"]),
        ("select 'a' 'b'; select 1", ["select 'a' 'b'", "select 1"]),
        (r"select E'a' '\'; select 1", [r"select E'a' '\'", "select 1"]),
        ("select a$$; select 2", ["select a$$", "select 2"]),
        ("select 1e; select 2", ["select 1e", "select 2"]),
        (") ; select 1", [")", "select 1"]),
        ("create table t (begin int); select 1", ["create table t (begin int)", "select 1"]),
        ("create function f() end; select 1", ["create function f() end", "select 1"]),
        ("create function f() case; select 1", ["create function f() case", "select 1"]),
        ("select (1; select 2", ["select (1; select 2"]),
        ("select 1 /* a */ /* b */ ; -- c\n", ["select 1"]),
    ],
)
def test_the_rest_is_split_as_psql_does(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("select 1;\nselect 'x''", "a text in quotes has no end", 2),
        ("select 1;\n\nselect E'x\\'", "a text in quotes has no end", 3),
        ("select E'x'\n'y\\'", "a text in quotes has no end", 1),
        ('select "x""', "a name in double quotes has no end", 1),
        ("\n/* a /* b */", "a comment that begins with /* has no end", 2),
        ("\nselect $tag$ x", "a text that begins with $tag$ has no end", 2),
        ("select 1;\n\\timing on\n", r"\timing is a command of psql; only SQL is read here", 2),
        ("copy t from stdin;\n\\.\n", r"\. is a command of psql; only SQL is read here", 2),
    ],
)
def test_what_cannot_be_split_is_refused_with_its_line(source: str, message: str, line: int) -> None:
    with pytest.raises(SplitError) as caught:
        split(source)
    assert (str(caught.value), caught.value.line) == (message, line)


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="a'\"$;-/*\\()eE \n", max_size=40))
def test_any_text_is_split_or_refused_and_nothing_but_comments_and_blanks_is_lost(source: str) -> None:
    try:
        statements = split(source)
    except SplitError:
        return
    lines = source.split("\n")
    for statement in statements:
        assert statement.text.strip() == statement.text != ""
        assert lines[statement.line - 1].find(statement.text.split("\n")[0]) >= 0


def test_a_file_of_very_many_statements_is_split_in_one_pass() -> None:
    assert len(split("a;\n" * 100_000)) == 100_000
