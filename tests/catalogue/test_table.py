from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from labrunner.catalogue.table import Table, read
from labrunner.errors import AuthoringError, MachineError


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(AuthoringError) as caught:
        action()
    return f"{caught.value} | {caught.value.hint}"


def table(**values: object) -> Table:
    return Table("x.toml", values, "a.b")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(lambda: read(tmp_path / "x", "labs/x")) == "labs/x is missing | write labs/x"


def test_a_file_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"title = '\xff'")
    message = "labs/x: expected UTF-8, found byte 0xff at offset 9 | save the file as UTF-8"
    assert refused(lambda: read(tmp_path / "x", "labs/x")) == message


def test_a_file_that_cannot_be_read_is_this_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"^labs/x cannot be read: Is a directory$") as caught:
        read(tmp_path, "labs/x")
    assert caught.value.hint == f"look at {tmp_path}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1\nb == 2\n", "line 2, column 4: not valid TOML: Invalid value"),
        ("a = 1\na = 2\n", "line 2, column 6: not valid TOML: Cannot overwrite a value"),
        ("a = 1\nb = [1,", "line 2, column 8: not valid TOML: "),
        ("a = 1\nb = 'x", "line 2, column 7: not valid TOML: "),
        ("ä = 1\n", "line 1, column 1: not valid TOML: Invalid statement"),
    ],
)
def test_broken_toml_is_refused_with_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8")
    said = refused(lambda: read(tmp_path / "x", "labs/x"))
    assert said.startswith(f"labs/x, {place}")
    line = place.removeprefix("line ").partition(",")[0]
    assert said.endswith(f" | correct line {line} of labs/x")


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    def act() -> None:
        with table(title="t", titles="u") as source:
            source.text("title")

    assert refused(act) == "x.toml: key 'a.b.titles' is unknown | did you mean 'title'?"


def test_an_unknown_key_unlike_any_other_is_refused_with_all_known_ones() -> None:
    def act() -> None:
        with table(title="t", zzz=1) as source:
            source.text("title")
            source.has("seed")

    assert refused(act) == "x.toml: key 'a.b.zzz' is unknown | known keys: seed, title"


def test_an_error_inside_of_the_block_comes_before_unknown_keys() -> None:
    def act() -> None:
        with table(zzz=1) as source:
            source.text("title")

    assert refused(act) == "x.toml: key 'a.b.title' is missing | add 'title'"


def test_a_missing_key_is_refused_with_the_one_that_was_perhaps_meant() -> None:
    assert refused(lambda: table(titel="t").text("title")).endswith("| rename 'titel' to 'title'")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, "a whole number: 1"),
        (True, "true or false: True"),
        (1.5, "a number with a point: 1.5"),
        ([], "a list: []"),
        ({}, "a table: {}"),
        (range(3), "a date or a time: range(0, 3)"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_both_types(value: object, found: str) -> None:
    said = refused(lambda: table(title=value).text("title"))
    assert said == f"x.toml: key 'a.b.title' must be a string, found {found} | write a string"


def test_a_long_value_is_cut_in_the_message() -> None:
    said = refused(lambda: table(title=["x" * 100]).text("title"))
    assert "found a list: ['" + "x" * 57 + "… |" in said


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "a\x1b[31mb"])
def test_text_of_other_than_one_plain_line_is_refused(value: str) -> None:
    said = refused(lambda: table(title=value).text("title"))
    assert said.startswith(f"x.toml: key 'a.b.title' must be one line of text, found {value!r}")


def test_a_choice_is_one_of_the_words() -> None:
    source = table(fruit="pear", other="peer", strange="zzz")
    words = ("apple", "pear")
    assert source.choice("fruit", words) == "pear"
    said = refused(lambda: source.choice("other", words))
    assert said == "x.toml: key 'a.b.other' must be one of apple, pear; found 'peer' | did you mean 'pear'?"
    assert refused(lambda: source.choice("strange", words)).endswith("| choose one of apple, pear")
    assert refused(lambda: table(x=["pear", "fig"]).choices("x", words, ())).startswith(
        "x.toml: key 'a.b.x' must be one of apple, pear; found 'fig'"
    )


def test_a_whole_number_is_at_least_one() -> None:
    assert table(n=3).whole("n") == 3
    assert table().whole("n", 7) == 7
    assert "must be at least 1, found -2" in refused(lambda: table(n=-2).whole("n"))
    assert "must be a whole number, found true or false: True" in refused(lambda: table(n=True).whole("n"))


def test_a_number_is_finite_and_above_zero() -> None:
    assert table(n=3).number("n", 1.0) == 3.0
    assert table().number("n", 1.5) == 1.5
    for value in (0, -1, float("inf"), float("nan")):
        said = refused(partial(table(n=value).number, "n", 1.0))
        assert f"must be above 0, found {value}" in said
    assert "must be a number, found a string: '5'" in refused(lambda: table(n="5").number("n", 1.0))
    assert "must be a number, found true or false" in refused(lambda: table(n=True).number("n", 1.0))


def test_a_list_of_strings_holds_different_strings() -> None:
    assert table(x=["a", "b"]).texts("x") == ("a", "b")
    assert table().texts("x", ("d",)) == ("d",)
    assert table(x=[]).texts("x", ("d",)) == ()
    assert "key 'a.b.x' must not be empty" in refused(lambda: table(x=[]).texts("x"))
    assert "key 'a.b.x' holds 'a' twice" in refused(lambda: table(x=["a", "a"]).texts("x"))
    assert "must be a list of strings, found a whole number: 1" in refused(
        lambda: table(x=["a", 1]).texts("x")
    )
    assert "must be one line of text" in refused(lambda: table(x=["a", ""]).texts("x"))


def test_a_scalar_is_a_whole_number_or_a_string() -> None:
    assert table(x=5).scalar("x") == 5
    assert table(x="").scalar("x") == ""
    values: tuple[object, ...] = (True, 1.5, [])
    for value in values:
        assert "must be a whole number or a string" in refused(partial(table(x=value).scalar, "x"))


def test_tables_keep_their_place_in_messages() -> None:
    source = table(x={"y": 1}, z=[{}, {"w": 1}])
    assert "key 'a.b.x.y' must be a string" in refused(lambda: source.table("x").text("y"))
    assert "key 'a.b.z[2].w' must be a string" in refused(lambda: source.tables("z")[1].text("w"))
    assert source.table("missing", optional=True).names() == ()
    assert "key 'a.b.missing' is missing" in refused(lambda: source.table("missing"))
    assert "must be a list of tables, found a whole number: 1" in refused(lambda: table(z=[1]).tables("z"))
    assert "key 'a.b.z' must not be empty | write [[a.b.z]]" in refused(lambda: table(z=[]).tables("z"))
