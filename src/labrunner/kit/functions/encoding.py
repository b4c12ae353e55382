"""From a grader's values to what the learner's program reads."""
# ruff: noqa: ANN401 - any value is asked what it is

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

from labrunner.errors import AuthoringError
from labrunner.kit.functions.records import Member, Record
from labrunner.model import Json

DEPTH: Final = 100
# A power of two with a few digits less than Python reads back from a text.
BIG: Final = 1 << 14_000


class Encoder:
    """Turns a grader's values into tagged JSON data.

    `reference` returns the data for what does not cross as plain: held objects, call-backs. Raises
    AuthoringError for what cannot be sent.
    """

    def __init__(self, reference: Callable[[object], Json]) -> None:
        self._reference = reference

    def value(self, value: Any, depth: int = 0) -> Json:
        """Return the data of a value."""
        kind = type(value)
        if value is None or kind is bool:
            return value  # type: ignore[no-any-return]
        if kind is int:
            if not -BIG < value < BIG:
                _refuse("an integer of more than 4 200 digits")
            return value  # type: ignore[no-any-return]
        if kind is str:
            return value if value.isascii() else _text(value)
        if kind is float:
            return value if isfinite(value) else {"float": repr(value)}
        if depth >= DEPTH:
            _refuse("a value that is nested more than 100 levels deep")
        if kind is list:
            return self.values(value, depth)
        return self._tagged(value, kind, depth)

    def values(self, values: Sequence[object], depth: int = 0) -> list[Json]:
        """Return the data of each of the values."""
        if set(map(type, values)) == {str} and "".join(values).isascii():  # type: ignore[arg-type]
            return values  # type: ignore[return-value]
        return [self.value(value, depth + 1) for value in values]

    def exception(self, error: BaseException, number: int) -> Json:
        """Return the data of an exception: its classes, its own first, its arguments, and a number."""
        kinds: list[Json] = [[kind.__module__, kind.__qualname__] for kind in type(error).__mro__[:-1]]
        try:
            arguments = self.values(list(error.args))
        except AuthoringError:
            arguments = [str(error)]
        return {"exception": [kinds, arguments, number]}

    def _tagged(self, value: Any, kind: type, depth: int) -> Json:
        if kind in (tuple, set, frozenset):
            return {kind.__name__: self.values(list(value), depth)}
        if kind is dict:
            return {"dict": self.values([part for pair in value.items() for part in pair], depth)}
        plain = _PLAIN.get(kind)
        return self._named(value, kind, depth) if plain is None else plain(value)

    def _named(self, value: Any, kind: type, depth: int) -> Json:
        if kind is Record:
            parts = [part for pair in value.fields.items() for part in pair]
            return {"record": [value.module, value.kind, *self.values(parts, depth)]}
        if kind is Member:
            return {"member": [value.module, value.kind, value.name, self.value(value.value, depth + 1)]}
        if isinstance(value, Enum):
            return {
                "member": [kind.__module__, kind.__qualname__, value.name, self.value(value.value, depth + 1)]
            }
        if is_dataclass(kind):
            parts = [part for field in fields(kind) for part in (field.name, getattr(value, field.name))]
            return {"record": [kind.__module__, kind.__qualname__, *self.values(parts, depth)]}
        return self._reference(value)


def _refuse(what: str) -> NoReturn:
    raise AuthoringError(
        f"{what} cannot be sent to the learner's program",
        hint="send plain values, callables or Shared objects",
    )


def _text(value: str) -> Json:
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"text": [ord(char) for char in value]}
    return value


def _decimal(value: Decimal) -> Json:
    if value.is_snan():
        _refuse("a signalling NaN")
    return {"decimal": str(value)}


def _datetime(value: datetime) -> Json:
    if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key:
        return {"datetime": [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo.key]}
    _refuse_other_zones(value)
    return {"datetime": [value.isoformat(), value.fold, None]}


def _time(value: time) -> Json:
    _refuse_other_zones(value)
    return {"time": [value.isoformat(), value.fold]}


def _refuse_other_zones(value: datetime | time) -> None:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        _refuse(f"a {type(value).__name__} in the zone {value.tzinfo!r}")


_PLAIN: Final[Mapping[type, Callable[[Any], Json]]] = {
    bytes: lambda value: {"bytes": value.hex()},
    Decimal: _decimal,
    datetime: _datetime,
    date: lambda value: {"date": value.isoformat()},
    time: _time,
    timedelta: lambda value: {"timedelta": [value.days, value.seconds, value.microseconds]},
    UUID: lambda value: {"uuid": value.hex},
    type(NotImplemented): lambda _: {"constant": "NotImplemented"},
}
