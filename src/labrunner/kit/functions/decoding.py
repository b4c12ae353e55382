"""From what the learner's program wrote to values: exact plain types or a refusal, and nothing else."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NoReturn, Protocol
from uuid import UUID

from labrunner.kit.functions.notation import Data, MalformedError
from labrunner.kit.functions.records import Member, Record

DEPTH: Final = 100
DIGITS: Final = 4300
EXPONENT: Final = 10_000
TEXT: Final = 20_000
NUMBER: Final = 2**53
STEP: Final = 500
ATOMS: Final = frozenset((int, str, bool, type(None)))
CONTAINERS: Final = frozenset(("tuple", "set", "frozenset", "dict", "record", "member", "object"))


class Objects(Protocol):
    """Where the objects are that a message names, and how much time is left for reading it."""

    def held(self, number: int, kind: str, like: str, *, sized: bool) -> object:
        """Return what stands for an object that the learner's program keeps."""
        ...

    def shared(self, number: int) -> object:
        """Return the grader's own object of this number. Raises MalformedError if there is none."""
        ...

    def check_time(self) -> None:
        """Raise an error when the time for the call is over."""
        ...


class Decoder:
    """Turns the tagged JSON data of one message into values. Raises MalformedError."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def value(self, data: Data, depth: int = 0) -> object:
        """Return the value."""
        kind = type(data)
        if kind in ATOMS:
            return data
        if kind is float:
            return data if isfinite(data) else _refuse("a number is not finite")
        if depth > DEPTH:
            _refuse("a value is nested too deeply")
        if kind is list:
            return self.values(data, depth)
        if len(data) != 1:
            _refuse("a value has not exactly one tag")
        ((tag, content),) = data.items()
        if tag in CONTAINERS:
            return getattr(self, f"_{tag}")(items(content), depth)
        if tag == "yours":
            return self._objects.shared(number_of(content))
        return _plain(tag, content)

    def values(self, data: list[Data], depth: int = 0) -> list[object]:
        """Return the values of a list."""
        kinds = set(map(type, data))
        if kinds <= ATOMS or (kinds == {float} and all(map(isfinite, data))):
            return data
        return [self.value(item, depth + 1) for item in data]

    def _tuple(self, content: list[Data], depth: int) -> object:
        return tuple(self.values(content, depth))

    def _set(self, content: list[Data], depth: int) -> object:
        values = self.values(content, depth)
        return set(self._table(values, values))

    def _frozenset(self, content: list[Data], depth: int) -> object:
        values = self.values(content, depth)
        return frozenset(self._table(values, values))

    def _dict(self, content: list[Data], depth: int) -> object:
        if len(content) % 2:
            _refuse("a dictionary has a key without a value")
        parts = self.values(content, depth)
        return self._table(parts[::2], parts[1::2])

    def _record(self, content: list[Data], depth: int) -> object:
        module, kind = texts(items(content[:2], 2))
        names = texts(content[2::2])
        values = self.values(content[3::2], depth)
        if len(names) != len(values) or len(set(names)) != len(names):
            _refuse("a record's fields do not fit together")
        return Record(kind, dict(zip(names, values, strict=True)), module)

    def _member(self, content: list[Data], depth: int) -> object:
        module, kind, name, value = items(content, 4)
        return Member(text(kind), text(name), self.value(value, depth + 1), text(module))

    def _object(self, content: list[Data], _depth: int = 0) -> object:
        handle, kind, like, sized = items(content, 4)
        if type(sized) is not bool:
            _refuse("an object is not described as one")
        return self._objects.held(number_of(handle), text(kind), text(like), sized=sized)

    def _table(self, keys: list[object], values: list[object]) -> dict[object, object]:
        """Return a dictionary of these keys, each of which must be hashable and there once."""
        table: dict[object, object] = {}
        try:
            if len(keys) > STEP and len(set(map(hash, keys))) < len(keys) / 2:
                _refuse("its keys have been made for a table to be slow")
            # In steps, because keys can be made so that each step is slower than the one before.
            for start in range(0, len(keys), STEP):
                table.update(zip(keys[start : start + STEP], values[start : start + STEP], strict=True))
                self._objects.check_time()
        except (TypeError, ValueError):
            raise MalformedError("a key is not hashable") from None
        if len(table) != len(keys):
            _refuse("a key is there twice")
        return table


def number_of(data: Data) -> int:
    """Return a number of an object. Raises MalformedError."""
    return data if type(data) is int and 0 < data < NUMBER else _refuse("an object has no number")


def text(data: Data) -> str:
    """Return a text of a bounded length. Raises MalformedError."""
    return data if type(data) is str and len(data) <= TEXT else _refuse("a name is no text")


def texts(data: Data) -> tuple[str, ...]:
    """Return a list of such texts. Raises MalformedError."""
    return tuple(map(text, items(data)))


def items(data: Data, count: int | None = None) -> list[Data]:
    """Return a list, of this length where one is given. Raises MalformedError."""
    if type(data) is not list or count not in {None, len(data)}:
        _refuse("a list is missing or has another length")
    return data


def table(data: Data) -> dict[str, Data]:
    """Return a JSON object. Raises MalformedError."""
    return data if type(data) is dict else _refuse("a JSON object is missing")


def _refuse(what: str) -> NoReturn:
    raise MalformedError(what)


def _points(content: list[int]) -> str:
    return "".join(map(chr, content))


def _moment(content: list[Data]) -> datetime:
    moment, fold = content
    return datetime.fromisoformat(moment).replace(fold=fold)


def _time(content: list[Data]) -> time:
    moment, fold = content
    return time.fromisoformat(moment).replace(fold=fold)


def _decimal(content: str) -> Decimal:
    value = Decimal(content)
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and len(digits) <= DIGITS and abs(exponent) <= EXPONENT:
        return value
    return value if content in {"NaN", "Infinity", "-Infinity"} else _refuse("a decimal has no bounded value")


def _plain(tag: str, content: Data) -> object:
    """Return the value of a tag without values inside. What it would be written as must be what was read."""
    read, write = _PLAIN.get(tag) or _refuse("a value has an unknown tag")
    try:
        value = read(content)
        if write(value) == content:
            return value
    except (ValueError, TypeError, OverflowError, ArithmeticError, AttributeError):
        pass
    raise MalformedError(f"a value of the tag {tag} is not written as one")


_PLAIN: Final[Mapping[str, tuple[Callable[[Data], Any], Callable[[Any], Data]]]] = {
    "float": (float, repr),
    "text": (_points, lambda value: list(map(ord, value))),
    "bytes": (bytes.fromhex, bytes.hex),
    "decimal": (_decimal, str),
    "datetime": (_moment, lambda value: [value.isoformat(), value.fold]),
    "date": (date.fromisoformat, date.isoformat),
    "time": (_time, lambda value: [value.isoformat(), value.fold]),
    "timedelta": (
        lambda content: timedelta(*content),
        lambda value: [value.days, value.seconds, value.microseconds],
    ),
    "uuid": (UUID, lambda value: value.hex),
}
