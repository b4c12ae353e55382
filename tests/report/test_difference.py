import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.report.difference import Comparison, Line, compare
from labrunner.report.layout import width_of

OFTEN = settings(deadline=None, derandomize=True, database=None, max_examples=300)
TEXTS = st.text(alphabet="ab \n\t北é", max_size=120)


def _shown(comparison: Comparison) -> list[str]:
    return [f"{line.label:9}{line.text}" for line in comparison.lines]


def test_two_lines_stand_above_each_other_with_a_mark_at_the_first_difference() -> None:
    comparison = compare("(3, 'Ada', 10)", "(3, 'Ada', 12)", 60)
    assert _shown(comparison) == [
        "expected (3, 'Ada', 10)",
        "seen     (3, 'Ada', 12)",
        "                     ^ differs from here",
    ]
    assert [line.mark for line in comparison.lines] == [False, False, True]
    assert not comparison.cut


def test_the_mark_stands_under_a_character_also_behind_wide_ones() -> None:
    assert _shown(compare("北京 a", "北京 b", 60))[2] == "              ^ differs from here"


def test_a_text_that_ends_too_early_is_marked_where_it_ends() -> None:
    assert _shown(compare("12 rows", "12", 60))[2] == "           ^ ends here"
    assert _shown(compare("12", "12 rows", 60))[2] == "           ^ differs from here"


def test_texts_that_differ_from_their_first_character_on_need_no_mark() -> None:
    assert _shown(compare("at most 8 blocks", "1 241 blocks", 60)) == [
        "expected at most 8 blocks",
        "seen     1 241 blocks",
    ]


def test_the_mark_stands_below_the_row_with_the_difference() -> None:
    assert _shown(compare("one two three four", "one two three five", 12)) == [
        "expected one two",
        "         three four",
        "seen     one two",
        "         three five",
        "                ^",
    ]


def test_long_lines_are_cut_around_their_first_difference() -> None:
    comparison = compare("x" * 500 + "A" + "y" * 500, "x" * 500 + "B" + "y" * 500, 41)
    texts = [line.text for line in comparison.lines]
    assert comparison.cut
    assert texts[0].startswith("…xxx")
    assert texts[-1].endswith("…")
    mark = next(index for index, line in enumerate(comparison.lines) if line.mark)
    assert texts[mark - 1][texts[mark].index("^")] == "B"


def test_a_long_line_that_differs_early_shows_its_beginning() -> None:
    comparison = compare("abc" + "y" * 500, "abd" + "y" * 500, 41)
    assert comparison.lines[0].text.startswith("abcyyy")
    assert comparison.cut


def test_tabs_do_not_shift_the_mark() -> None:
    assert _shown(compare("a\tb", "a\tc", 60))[1:] == ["seen     a   c", "             ^ differs from here"]


def test_a_tab_in_place_of_blanks_is_shown() -> None:
    assert _shown(compare("a   b", "a\tb", 60))[:2] == ["expected a   b", "seen     a\\tb"]


def test_only_one_of_both_is_shown_alone() -> None:
    assert _shown(compare("a\nb", None, 60)) == ["expected a", "         b"]
    assert _shown(compare(None, "a", 60)) == ["seen     a"]
    assert compare(None, None, 60) == Comparison((), cut=False)


def test_an_empty_text_says_that_it_is_empty() -> None:
    assert _shown(compare("one row", "", 60)) == ["expected one row", "seen     (empty text)"]


def test_equal_texts_are_shown_without_a_mark() -> None:
    assert _shown(compare("1", "1", 60)) == ["expected 1", "seen     1"]


def test_many_lines_of_one_alone_are_cut_in_the_middle() -> None:
    comparison = compare(None, "\n".join(map(str, range(100))), 60)
    assert comparison.cut
    assert len(comparison.lines) == 12
    assert any(line.text == "… 89 lines …" for line in comparison.lines)


def test_several_lines_show_what_they_share_and_where_they_part() -> None:
    comparison = compare("id\n1 | ada\n2 | bob\n3 | cleo", "id\n1 | ada\n2 | eve\n3 | cleo", 60)
    assert _shown(comparison) == [
        "differs  first in line 3; 4 lines expected, 4 seen",
        "         id",
        "         1 | ada",
        "expected 2 | bob",
        "seen     2 | eve",
        "             ^ differs from here",
        "         3 | cleo",
    ]
    assert not comparison.cut


def test_a_line_that_is_missing_is_named() -> None:
    assert _shown(compare("a\nb\nc", "a\nc", 60)) == [
        "differs  first in line 2; 3 lines expected, 2 seen",
        "         a",
        "expected b",
        "         ^ is missing",
        "         c",
    ]


def test_a_line_that_was_not_expected_is_named() -> None:
    assert _shown(compare("a", "a\nb", 60))[2:] == ["seen     b", "         ^ was not expected"]


def test_only_the_first_difference_is_marked() -> None:
    comparison = compare("a\nb\nc\nd", "a\nx\nc\ny", 60)
    assert sum(line.mark for line in comparison.lines) == 1
    assert Line("seen", "y") in comparison.lines


def test_what_follows_a_dozen_lines_is_counted() -> None:
    expected = "\n".join(f"row {number}" for number in range(100))
    seen = "\n".join(f"line {number}" for number in range(50))
    comparison = compare(expected, seen, 60)
    assert comparison.cut
    shown = sum(line.label == "seen" for line in comparison.lines)
    assert comparison.lines[-1].text == f"… {100 - shown} more expected, {50 - shown} more seen …"


def test_lines_too_long_for_the_room_are_cut_around_their_difference() -> None:
    comparison = compare("a\n" + "x" * 90 + "A", "a\n" + "x" * 90 + "B", 41)
    assert comparison.cut
    assert comparison.lines[-2].text.startswith("…")
    assert comparison.lines[-2].text.endswith("B")


@pytest.mark.parametrize("room", [-5, 0, 1])
def test_no_room_at_all_still_ends(room: int) -> None:
    assert compare("abc\ndef", "abc\nxyz", room).lines
    assert compare("abc", "abx", room).lines


@OFTEN
@given(expected=TEXTS, seen=TEXTS, room=st.integers(6, 60))
def test_no_line_is_wider_than_the_room_and_a_mark_points_at_the_difference(
    expected: str, seen: str, room: int
) -> None:
    comparison = compare(expected, seen, room)
    assert all(width_of(line.text) <= room for line in comparison.lines)
    assert sum(line.mark for line in comparison.lines) <= 1
    if expected != seen:
        assert {"expected", "seen"} & {line.label for line in comparison.lines}
