import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from labrunner.kit.values import EVIDENCE_DEPTH, cut, grouped, pair, plain, same, shown, typed


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("NaN"), Decimal("NaN")),
        (float("nan"), float("nan")),
        ((1, [2, "x"]), (1, [2, "x"])),
        ({"a": [1]}, {"a": [1]}),
        (None, None),
        (b"x", b"x"),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
    ],
)
def test_these_are_the_same(left: object, right: object) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (1, 1.0),
        (1, Decimal(1)),
        ("1", 1),
        (None, ""),
        ([1], (1,)),
        ([True], [1]),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"b": 1}),
        (Decimal("NaN"), float("nan")),
        (float("nan"), 1.0),
    ],
)
def test_these_differ(left: object, right: object) -> None:
    assert not same(left, right)


class EqualToEverything:
    __hash__: Callable[..., int] = object.__hash__

    def __eq__(self, other: object) -> bool:
        return True


def test_an_object_equal_to_everything_is_not_the_same_as_a_number() -> None:
    assert not same(EqualToEverything(), 1)
    assert not same(1, EqualToEverything())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "true"),
        (False, "false"),
        (12, "12"),
        (Decimal("1.50"), "1.50"),
        ("plain words", "plain words"),
        ("", "''"),
        ("NULL", "'NULL'"),
        ("true", "'true'"),
        (" edge", "' edge'"),
        ("it's | that", "'it''s | that'"),
        ("line\nbreak", "'line\\nbreak'"),
        ("\x1b[31m", "'\\x1b[31m'"),
        ("\ud800", "\\ud800"),
        (b"\x00\xff", "\\x00ff"),
        ((1, None), "(1, NULL)"),
        ([1, "a"], "[1, a]"),
        ({"a": 1}, "{a: 1}"),
    ],
)
def test_a_value_is_shown_so_that_it_cannot_be_misread(value: object, text: str) -> None:
    assert shown(value) == text


def test_look_alikes_are_shown_with_their_types() -> None:
    assert pair(1, "1") == ("1 (integer)", "1 (text)")
    assert pair(Decimal(1), 1) == ("1 (numeric)", "1 (integer)")
    assert pair((1, "a"), ("1", "a")) == ("(1 (integer), a (text))", "(1 (text), a (text))")
    assert typed(datetime(2024, 1, 1, tzinfo=UTC)) == "2024-01-01 00:00:00+00:00 (datetime)"


def test_texts_of_several_lines_are_shown_as_they_are() -> None:
    assert pair("a\nb", "a\nc") == ("a\nb", "a\nc")


def test_values_become_plain_json_data() -> None:
    value = {
        "number": 1,
        "fraction": 0.5,
        "huge": 2**70,
        "endless": float("inf"),
        "money": Decimal("1.50"),
        "flag": True,
        "nothing": None,
        "when": datetime(2024, 1, 1, tzinfo=UTC),
        "rows": [(1, "x")],
        "half": "\ud800",
    }
    assert plain(value) == {
        "number": 1,
        "fraction": 0.5,
        "huge": "1180591620717411303424",
        "endless": "inf",
        "money": "1.50",
        "flag": True,
        "nothing": None,
        "when": "2024-01-01 00:00:00+00:00",
        "rows": [[1, "x"]],
        "half": "\\ud800",
    }
    json.dumps(plain(value), allow_nan=False)


def test_long_lists_and_deep_nesting_are_cut() -> None:
    assert plain(list(range(1205)))[-1] == "… 1 005 more"  # type: ignore[index]
    deep: list[object] = []
    for _ in range(2 * EVIDENCE_DEPTH):
        deep = [deep]
    assert json.dumps(plain(deep)).count("[") == EVIDENCE_DEPTH
    assert "…" in str(plain(deep))


def test_a_long_text_is_cut_in_its_middle() -> None:
    text = "a" * 5000 + "b" * 5000
    short = cut(text, 3000)
    assert len(short) < 3000
    assert short.startswith("aaa")
    assert short.endswith("bbb")
    assert "characters …" in short


def test_escapes_count_when_a_text_is_cut() -> None:
    assert len(json.dumps(cut("\x01" * 10_000, 6_000))) <= 6_000


def test_a_short_text_is_not_cut() -> None:
    assert cut("short", 3000) == "short"


def test_numbers_are_grouped_by_thousands() -> None:
    assert grouped(1241) == "1 241"
    assert grouped(1234567.5) == "1 234 567.5"
