"""Strict reading of TOML: every error names the file, the whole key, what was expected and what was found."""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypeVar

from labrunner.catalogue.vocabulary import did_you_mean, listed, nearest, shown
from labrunner.errors import AuthoringError, MachineError

# The format of lab.toml and roadmap.toml that this version reads.
FORMAT = 1

Word = TypeVar("Word", bound=str)
Kind = TypeVar("Kind")

_KINDS = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number with a point",
    list: "a list",
    dict: "a table",
}
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def read(file: Path, name: str) -> "Table":
    """The TOML file as a Table. `name` is what messages call the file.

    Raises AuthoringError when it is missing, not UTF-8 or not TOML (with line and column), and
    MachineError when this machine cannot read it.
    """
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise AuthoringError(f"{name} is missing", hint=f"write {name}") from None
    except UnicodeDecodeError as error:
        raise AuthoringError(
            f"{name}: expected UTF-8, found byte {error.object[error.start]:#04x} at offset {error.start}",
            hint="save the file as UTF-8",
        ) from None
    except OSError as error:
        raise MachineError(f"{name} cannot be read: {error.strerror}", hint=f"look at {file}") from None
    try:
        # Files written on Windows end their lines with CR LF, which TOML allows.
        return Table(name, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _broken(name, text, str(error)) from None


def _broken(name: str, text: str, complaint: str) -> AuthoringError:
    place = _PLACE.search(complaint)
    if place:
        line, column = place[1], place[2]
        complaint = complaint[: place.start()]
    else:  # "at end of document"
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    return AuthoringError(
        f"{name}, line {line}, column {column}: not valid TOML: {complaint}",
        hint=f"correct line {line} of {name}",
    )


class Table:
    """One TOML table, read key by key inside a `with` block.

    At the end of the block every key that nobody asked for is refused, so a table's reader is also the list
    of its known keys. A method without a default raises AuthoringError when its key is missing.
    """

    def __init__(self, file: str, values: Mapping[str, object], path: str = "") -> None:
        self.file = file
        self._values = values
        self._path = path
        self._asked: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        unknown = [key for key in self._values if key not in self._asked]
        if kind is None and unknown:
            raise self.wrong(
                unknown[0],
                "is unknown",
                hint=did_you_mean(unknown[0], self._asked) or f"known keys: {listed(sorted(self._asked))}",
            )

    def wrong(self, key: str, complaint: str, *, hint: str) -> AuthoringError:
        """The error that says that `key` of this table is not as it must be."""
        return AuthoringError(f"{self.file}: key {shown(self._whole(key))} {complaint}", hint=hint)

    def has(self, key: str) -> bool:
        """Whether the table has the key, which is known from now on."""
        self._asked.add(key)
        return key in self._values

    def names(self) -> tuple[str, ...]:
        """All keys, in the file's order, for a table whose keys are free; all are known from now on."""
        self._asked.update(self._values)
        return tuple(self._values)

    def text(self, key: str) -> str:
        """A string of one line, not empty."""
        value = self._of(key, str)
        self._must_be_a_line(key, value)
        return value

    def choice(self, key: str, words: tuple[Word, ...]) -> Word:
        """One of `words`."""
        value = self.text(key)
        for word in words:
            if word == value:
                return word
        raise self._no_choice(key, value, words)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number, at least 1."""
        if not self.has(key) and default is not None:
            return default
        value = self._of(key, int)
        if value < 1:
            raise self.wrong(key, f"must be at least 1, found {value}", hint="write a number of 1 or more")
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number above zero."""
        if not self.has(key):
            return default
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong_kind(key, "a number", value)
        if not (math.isfinite(value) and value > 0):
            raise self.wrong(key, f"must be above 0, found {value}", hint="write a finite number above 0")
        return float(value)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Strings of one line, none twice; the list may be empty only where there is a default."""
        if not self.has(key) and default is not None:
            return default
        values = self._of(key, list)
        for value in values:
            if not isinstance(value, str):
                raise self._wrong_kind(key, "a list of strings", value)
            self._must_be_a_line(key, value)
            if values.count(value) > 1:
                raise self.wrong(key, f"holds {shown(value)} twice", hint="remove one of the two")
        if not values and default is None:
            raise self.wrong(key, "must not be empty", hint=f"write at least one string into {key!r}")
        return tuple(values)

    def choices(self, key: str, words: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of some of `words`."""
        values = self.texts(key, default)
        for value in values:
            if value not in words:
                raise self._no_choice(key, value, words)
        return values

    def scalar(self, key: str) -> int | str:
        """A whole number or a string."""
        value = self._present(key)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise self._wrong_kind(key, "a whole number or a string", value)
        return value

    def table(self, key: str, *, optional: bool = False) -> "Table":
        """The table under the key; an empty one when it is optional and missing."""
        if not self.has(key) and optional:
            return Table(self.file, {}, self._whole(key))
        return Table(self.file, self._of(key, dict), self._whole(key))

    def tables(self, key: str) -> tuple["Table", ...]:
        """The tables of an array of tables, in order, at least one."""
        values = self._of(key, list)
        for value in values:
            if not isinstance(value, dict):
                raise self._wrong_kind(key, "a list of tables", value)
        if not values:
            raise self.wrong(key, "must not be empty", hint=f"write [[{self._whole(key)}]]")
        return tuple(Table(self.file, v, f"{self._whole(key)}[{n}]") for n, v in enumerate(values, start=1))

    def _whole(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _present(self, key: str) -> object:
        if self.has(key):
            return self._values[key]
        meant = nearest(key, (name for name in self._values if name not in self._asked))
        raise self.wrong(key, "is missing", hint=f"rename {meant!r} to {key!r}" if meant else f"add {key!r}")

    def _of(self, key: str, kind: type[Kind]) -> Kind:
        value = self._present(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong_kind(key, _KINDS[kind], value)
        return value

    def _must_be_a_line(self, key: str, value: str) -> None:
        if not value.strip() or not value.isprintable():
            raise self.wrong(
                key,
                f"must be one line of text, found {shown(value)}",
                hint="write it on one line, without control characters",
            )

    def _wrong_kind(self, key: str, expected: str, value: object) -> AuthoringError:
        kind = _KINDS.get(type(value), "a date or a time")
        return self.wrong(key, f"must be {expected}, found {kind}: {shown(value)}", hint=f"write {expected}")

    def _no_choice(self, key: str, value: str, words: tuple[str, ...]) -> AuthoringError:
        return self.wrong(
            key,
            f"must be one of {listed(words)}; found {shown(value)}",
            hint=did_you_mean(value, words) or f"choose one of {listed(words)}",
        )


def check_format(file: Table) -> None:
    """Refuse a file whose `format` is not the one that this version reads."""
    found = file.whole("format")
    if found != FORMAT:
        raise file.wrong(
            "format",
            f"must be {FORMAT}, found {found}",
            hint=f"write format = {FORMAT}, or upgrade labrunner",
        )
