import string
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.errors import AuthoringError
from labrunner.kit.failures import Failure
from labrunner.kit.functions import FunctionProgram, Member, Module, Object, Record
from labrunner.kit.values import same

SOLUTION = """
import dataclasses, enum
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal

class Color(enum.Enum):
    RED = "r"

class Right(enum.Flag):
    READ = 1
    WRITE = 2

@dataclasses.dataclass(frozen=True)
class Order:
    number: int
    lines: list
    class Line:
        pass

class MyInt(int): pass
class MyText(str): pass
class MyList(list): pass
Pair = namedtuple("Pair", "left right")

def same(value): return value
def text(value): return repr(value)
def kind(value): return type(value).__name__
def made(code): return eval(code)
def fields(value): return sorted(vars(value).items())
"""


@pytest.fixture(scope="module")
def solution(
    running: Callable[[Path], AbstractContextManager[tuple[FunctionProgram, object]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Module]:
    folder = tmp_path_factory.mktemp("values")
    (folder / "solution.py").write_text(SOLUTION)
    with running(folder) as (program, _):
        yield program.load("solution")


zones = st.none() | st.builds(
    timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(lambda delta: delta)
)
numbers = st.integers() | st.integers(-(2**13_000), 2**13_000) | st.booleans() | st.floats() | st.none()
texts = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Ll"])) | st.binary()
decimals = st.decimals(allow_nan=False) | st.just(Decimal("NaN"))
moments = (
    st.datetimes(timezones=zones)
    | st.dates()
    | st.times(timezones=zones)
    | st.timedeltas()
    | st.datetimes().map(lambda moment: moment.replace(fold=1))
)
plain = numbers | texts | decimals | moments | st.uuids()
keys = st.integers() | texts | decimals.filter(lambda value: not value.is_nan()) | moments | st.uuids()
hashable = st.recursive(
    keys,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.sets(hashable)
        | st.frozensets(hashable)
        | st.dictionaries(hashable, inner)
    ),
    max_leaves=20,
)


def exact(value: object) -> object:
    """Two values have the same exact form when they are the same, the elements of sets by their types too."""
    if isinstance(value, list | tuple):
        return type(value), tuple(map(exact, value))
    if isinstance(value, set | frozenset):
        return type(value), frozenset(map(exact, value))
    if isinstance(value, dict):
        return dict, frozenset((exact(key), exact(item)) for key, item in value.items())
    if isinstance(value, datetime | time):
        return type(value), value.isoformat(), value.fold
    return type(value), repr(value)


@settings(max_examples=300, deadline=None)
@given(value=values)
def test_a_value_comes_back_from_the_learners_program_as_it_went(solution: Module, value: object) -> None:
    assert exact(solution.same(value)) == exact(value)


@settings(max_examples=150, deadline=None)
@given(value=plain | st.lists(plain).map(tuple) | st.dictionaries(st.text(string.printable), plain))
def test_a_value_is_in_the_learners_program_what_it_is_here(solution: Module, value: object) -> None:
    assert solution.text(value) == repr(value)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1", 1),
        ("True", True),
        ("1.0", 1.0),
        ("-0.0", -0.0),
        ("float('inf')", float("inf")),
        ("'a\\0b\\x1b'", "a\0b\x1b"),
        ("'\\ud83d' + '\\ude00'", "\ud83d" + "\ude00"),
        ("[1, None]", [1, None]),
        ("(1, (2,))", (1, (2,))),
        ("{1: 'a', (2, 3): [4]}", {1: "a", (2, 3): [4]}),
        ("10 ** 4000", 10**4000),
        ("Decimal('1.50')", Decimal("1.50")),
    ],
)
def test_these_are_the_same_here_and_there(solution: Module, code: str, value: object) -> None:
    assert exact(solution.made(code)) == exact(value)


@pytest.mark.parametrize(
    ("code", "kind", "like"),
    [
        ("MyInt(1)", "MyInt", "int"),
        ("MyText('a')", "MyText", "str"),
        ("MyList([1])", "MyList", "list"),
        ("Pair(1, 2)", "Pair", "tuple"),
        ("Counter('a')", "Counter", "dict"),
        ("OrderedDict()", "OrderedDict", "dict"),
        ("range(3)", "range", ""),
        ("bytearray(b'a')", "bytearray", ""),
        ("1j", "complex", ""),
        ("{}.keys()", "dict_keys", ""),
        ("int", "type", ""),
        ("len", "builtin_function_or_method", ""),
        ("ValueError('x')", "ValueError", ""),
    ],
)
def test_what_is_not_exactly_plain_stays_an_object_and_equals_nothing(
    solution: Module, code: str, kind: str, like: str
) -> None:
    value = solution.made(code)
    assert isinstance(value, Object)
    assert repr(value) == f"an object of type {kind}" + (f" (a kind of {like})" if like else "")
    for expected in list[object]((1, "a", [1], (1, 2), {"a": 1}, {})):
        assert value != expected
        assert not same(value, expected)


def test_an_object_inside_a_plain_value_stays_an_object(solution: Module) -> None:
    first, second = solution.made("(lambda one: [one, {'again': one}])(MyInt(5))")
    assert first is second["again"]


def test_a_dataclass_instance_crosses_as_its_name_and_fields(solution: Module) -> None:
    record = solution.made("Order(1, [Color.RED])")
    assert record == Record("Order", {"number": 1, "lines": [Member("Color", "RED")]})
    assert record["number"] == 1
    assert repr(record) == "Order(number=1, lines=[Color.RED])"
    assert record.module == "solution"
    assert record != Record("Order", {"number": True, "lines": [Member("Color", "RED")]})
    assert record != Record("Other", record.fields)
    assert record != {"number": 1}
    assert len({record, solution.made("Order(1, [Color.RED])")}) == 1


def test_a_field_that_a_record_does_not_have_fails_the_check() -> None:
    with pytest.raises(Failure, match="Order has no field `total`") as caught:
        Record("Order", {"number": 1, "lines": []})["total"]
    assert (caught.value.expected, caught.value.seen) == ("a field `total`", "number, lines")
    with pytest.raises(Failure) as caught:
        Record("Empty", {})["total"]
    assert caught.value.seen == "no fields"


def test_the_member_of_an_enum_crosses_as_its_names_and_value(solution: Module) -> None:
    member = solution.made("Color.RED")
    assert member == Member("Color", "RED")
    assert (member.value, member.module) == ("r", "solution")
    assert member != "r"
    assert member != Member("Color", "BLUE")
    assert "READ" in solution.made("Right.READ | Right.WRITE").name


def test_records_and_members_go_back_as_what_they_were(solution: Module) -> None:
    assert (
        solution.text(solution.made("Order(1, [Color.RED])")) == "Order(number=1, lines=[<Color.RED: 'r'>])"
    )


@dataclass
class Parcel:
    weight: int
    size: tuple[int, int]


class Speed(Enum):
    FAST = 3


def test_the_graders_own_dataclass_and_enum_become_plain_objects(solution: Module) -> None:
    assert solution.fields(Parcel(5, (1, 2))) == [("size", (1, 2)), ("weight", 5)]
    assert solution.kind(Parcel(5, (1, 2))) == "Parcel"
    assert solution.fields(Speed.FAST) == [("name", "FAST"), ("value", 3)]


def test_a_time_zone_of_the_database_goes_by_its_name_and_comes_back_as_an_offset(solution: Module) -> None:
    moment = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    assert solution.text(moment) == repr(moment)
    assert solution.same(moment).utcoffset() == timedelta(hours=1)
    assert same(
        solution.same(datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
        datetime(2024, 6, 30, 22, tzinfo=UTC),
    )


class Odd(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> str:
        return "odd"


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**14_000, "an integer of more than 4 200 digits"),
        (deep(100), "a value that is nested more than 100 levels deep"),
        (Decimal("sNaN"), "a signalling NaN"),
        (datetime(2024, 1, 1, tzinfo=Odd()), "a datetime in the zone"),
        (time(1, tzinfo=ZoneInfo("Europe/Berlin")), "a time in the zone"),
        (object(), "an object of the type object"),
        (1j, "an object of the type complex"),
    ],
)
def test_what_cannot_be_sent_is_the_labs_fault(solution: Module, value: object, words: str) -> None:
    with pytest.raises(AuthoringError, match=words) as caught:
        solution.same(value)
    assert "cannot be sent to the learner's program" in str(caught.value)
    assert "plain values" in caught.value.hint
    assert solution.same(1) == 1


def test_too_much_data_for_one_message_is_the_labs_fault(solution: Module) -> None:
    with pytest.raises(AuthoringError, match=r"what the lab sends for same\(\) takes 1\d+ bytes") as caught:
        solution.same("a" * 1_000_000)
    assert "send less" in caught.value.hint
    assert solution.same("a" * 990_000) == "a" * 990_000


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("10 ** 5000", "a number of more than 4 200 digits"),
        ("[10 ** 5000, 1]", "a number of more than 4 200 digits"),
        ("Decimal(10) ** 20000", "a number of more than 4 200 digits"),
        ("Decimal('sNaN')", "a signalling NaN"),
        ("Decimal('NaN123')", "a signalling NaN"),
        ("'a' * 1_100_000", "more than 1 MB of data"),
        ("[0] * 600_000", "more than 1 MB of data"),
        ("(lambda a: [a.append(a), a][1])([])", "a value that is nested more than 100 levels deep"),
        ("[[0] * 10_000] * 100", "more than 1 MB of data"),
    ],
)
def test_what_cannot_be_returned_fails_the_check_and_says_why(
    solution: Module, code: str, words: str
) -> None:
    with pytest.raises(Failure) as caught:
        solution.made(code)
    assert caught.value.message.startswith(f"made() returned {words}")
    assert caught.value.expected == "a value of at most 1 MB, 100 levels and 4 200 digits a number"
    assert solution.same(1) == 1


def test_a_list_of_a_hundred_levels_crosses_both_ways(solution: Module) -> None:
    assert solution.same(deep(99)) == deep(99)


def test_a_date_is_no_datetime_and_a_uuid_no_text(solution: Module) -> None:
    assert same(solution.same(date(2024, 1, 2)), date(2024, 1, 2))
    assert not same(solution.same(date(2024, 1, 2)), datetime(2024, 1, 2))  # noqa: DTZ001 - that is the point
    assert not same(solution.same(UUID(int=5)), UUID(int=5).hex)
