import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.report.layout import Ink, Row, Style, count, cut_end, cut_middle, hung, rows, width_of, wrap

OFTEN = settings(deadline=None, derandomize=True, database=None, max_examples=300)
LINES = st.text(alphabet="ab 1é北\u0301😀", max_size=80)


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("plain", 5), ("Zoë", 3), ("北京", 4), ("e\u0301", 1), ("😀", 2), ("…", 1)]
)
def test_a_width_is_counted_in_columns(text: str, columns: int) -> None:
    assert width_of(text) == columns


def test_a_line_breaks_at_blanks_and_rows_know_where_they_begin() -> None:
    assert rows("one two  three", 7) == (Row(0, "one two"), Row(9, "three"))


def test_a_word_too_long_for_a_row_is_torn() -> None:
    assert [row.text for row in rows("abcdefgh ij", 3)] == ["abc", "def", "gh", "ij"]


def test_a_number_is_not_torn_at_its_blanks() -> None:
    assert wrap("customers than at 100 000 rows", 22) == ["customers than at", "100 000 rows"]


def test_an_empty_line_is_one_empty_row() -> None:
    assert rows("", 10) == (Row(0, ""),)
    assert wrap("a\n\nb", 10) == ["a", "", "b"]


def test_blanks_behind_the_last_break_make_no_row() -> None:
    assert rows("abc   ", 3) == (Row(0, "abc"),)


def test_a_row_that_continues_a_line_is_indented_like_it() -> None:
    assert wrap("  Filter: lower(email) = $1", 16, hang=2) == ["  Filter:", "    lower(email)", "    = $1"]


def test_an_indentation_that_leaves_no_room_is_given_up() -> None:
    assert wrap(" " * 30 + "deep node", 20) == ["deep node"]


def test_tabs_become_blanks() -> None:
    assert wrap("a\tb", 20) == ["a   b"]


@OFTEN
@given(line=LINES, room=st.integers(2, 40))
def test_no_row_is_wider_than_the_room_and_nothing_but_blanks_is_lost(line: str, room: int) -> None:
    parts = rows(line, room)
    assert all(width_of(part.text) <= room for part in parts)
    assert "".join(part.text for part in parts).replace(" ", "") == line.replace(" ", "")
    assert all(line.startswith(part.text, part.start) for part in parts)


@OFTEN
@given(line=LINES, room=st.integers(-3, 3))
def test_no_room_at_all_still_ends(line: str, room: int) -> None:
    assert "".join(wrap(line, room)).replace(" ", "") == line.replace(" ", "")


@OFTEN
@given(line=LINES, room=st.integers(3, 40))
def test_a_line_cut_at_its_end_fits_and_shows_that_it_was_cut(line: str, room: int) -> None:
    shown = cut_end(line, room)
    assert width_of(shown) <= room
    assert shown == line or shown.endswith("…")


def test_a_line_in_no_room_is_an_ellipsis() -> None:
    assert cut_end("abc", 1) == "…"


def test_text_hangs_to_the_right_of_its_lead_also_of_an_inked_one() -> None:
    assert hung("lead: ", "one two", 10) == ["lead: one", "      two"]
    assert hung("\x1b[1mlead\x1b[0m: ", "one two", 10) == ["\x1b[1mlead\x1b[0m: one", "      two"]


def test_lines_are_cut_in_the_middle_with_their_number() -> None:
    lines = [str(number) for number in range(10)]
    assert cut_middle(lines, 10) == (lines, False)
    assert cut_middle(lines, 5) == (["0", "1", "… 6 lines …", "8", "9"], True)
    assert len(cut_middle(lines, 6)[0]) == 6


@pytest.mark.parametrize("style", ["good", "bad", "odd", "quiet", "strong"])
def test_ink_is_ansi_with_colour_and_nothing_without(style: Style) -> None:
    assert Ink(colour=False).paint("word", style) == "word"
    inked = Ink(colour=True).paint("word", style)
    assert inked.startswith("\x1b[")
    assert inked.endswith("word\x1b[0m")


def test_plain_and_empty_text_takes_no_ink() -> None:
    assert Ink(colour=True).paint("word", "plain") == "word"
    assert Ink(colour=True).paint("", "bad") == ""


def test_one_is_singular() -> None:
    assert [count(number, "check") for number in (0, 1, 2)] == ["0 checks", "1 check", "2 checks"]
