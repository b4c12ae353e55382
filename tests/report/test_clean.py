import json
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.report.clean import LIMIT, clean, clean_json, clean_object, shorten

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)
OFTEN = settings(deadline=None, derandomize=True, database=None, max_examples=300)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]52;c;cm0=\x07", r"\x1b]52;c;cm0=\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("50 %\rdone", r"50 %\rdone"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("a\u2028b\u2029c\x85d\x0be", r"a\u2028b\u2029c\x85d\x0be"),
        ("a\ud800b", r"a\ud800b"),
        ("pass\u200bword", r"pass\u200bword"),
        ("\U000e0041", r"\U000e0041"),
        ("\ufffe\uffff", r"\ufffe\uffff"),
    ],
)
def test_a_character_that_would_act_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_newlines_tabs_and_letters_of_every_script_stay() -> None:
    text = "id\tname\n1\tZoë\n2\t北京 اسم 😀\n[bold]not markup[/bold] \\x1b"
    assert clean(text) == text


def test_a_long_text_is_cut_in_the_middle_and_says_how_much_is_missing() -> None:
    shown = clean("a" * 500 + "b" * 500, limit=100)
    assert len(shown) == 100
    assert shown.startswith("aaaa")
    assert shown.endswith("bbbb")
    kept = shown.count("a", 0, 20) + shown.count("b", 80)
    assert " characters are missing " in shown
    missing = int("".join(character for character in shown if character.isdigit()))
    assert missing == 1000 - sum(part.count("a") + part.count("b") for part in _around_the_mark(shown))
    assert kept > 0


def _around_the_mark(shown: str) -> tuple[str, str]:
    head, _, rest = shown.partition("…")
    return head, rest.partition("…")[2]


def test_a_text_is_whole_by_default_up_to_a_hundred_thousand_characters() -> None:
    assert LIMIT == 100_000
    assert clean("a" * LIMIT) == "a" * LIMIT
    assert len(clean("a" * LIMIT + "b")) == LIMIT


@pytest.mark.parametrize("limit", [0, 1, 5, 32])
def test_a_limit_too_small_for_words_keeps_the_beginning(limit: int) -> None:
    assert shorten("x" * 50, limit) == "x" * limit


def test_every_text_in_a_document_is_cleaned_also_its_keys() -> None:
    document: dict[str, Any] = {
        "a\x1b": ["b\r", {"c\u202e": "d\x00"}],
        "n": 1,
        "f": 1.5,
        "t": True,
        "z": None,
    }
    cleaned = {"a\\x1b": ["b\\r", {"c\\u202e": "d\\x00"}], "n": 1, "f": 1.5, "t": True, "z": None}
    assert clean_object(document) == cleaned
    assert clean_json(["\x1b", 2]) == ["\\x1b", 2]


@OFTEN
@given(text=ANY_TEXT, limit=st.integers(0, 400))
def test_whatever_comes_in_what_comes_out_is_harmless_and_bounded(text: str, limit: int) -> None:
    shown = clean(text, limit=limit)
    assert len(shown) <= limit
    assert not any(
        unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in shown if each not in "\n\t"
    )
    assert not any(unicodedata.bidirectional(each) in _BIDI_CONTROLS for each in shown)
    shown.encode("utf-8")


@OFTEN
@given(text=ANY_TEXT, limit=st.integers(0, 400))
def test_cleaning_what_is_clean_changes_nothing(text: str, limit: int) -> None:
    once = clean(text, limit=limit)
    assert clean(once, limit=limit) == once


@OFTEN
@given(
    text=st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=200)
)
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_no_character_that_a_terminal_or_xml_objects_to_is_left_in_all_of_unicode() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = clean(everything, limit=3_000_000)
    assert {each for each in shown if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}} == {"\n", "\t"}
    assert not {"\ufffe", "\uffff", "\u202e", "\u2066", "\u061c"} & set(shown)
    assert json.loads(json.dumps(shown)) == shown


_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
