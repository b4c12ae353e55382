"""Text in the columns of a terminal: its width, wrapped, cut, and inked. Nothing here reads markup."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["good", "bad", "odd", "quiet", "strong", "plain"]

_TAB = 4
_INKED = re.compile("\x1b\\[[0-9;]*m")

_CODES: Mapping[Style, str] = {"good": "32", "bad": "1;31", "odd": "1;33", "quiet": "2", "strong": "1"}


@dataclass(frozen=True, slots=True)
class Ink:
    """How text is made to stand out: ANSI colours, or nothing at all. Colour never says what words do not."""

    colour: bool

    def paint(self, text: str, style: Style) -> str:
        """`text` in the style's colour, of the same width on the screen."""
        if not self.colour or not text or style not in _CODES:
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a line that fits in one row; `start` is its offset in that line."""

    start: int
    text: str


def width_of(text: str) -> int:
    """The columns that one line takes: two for a wide character, none for one that combines with another."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def rows(line: str, room: int) -> tuple[Row, ...]:
    """One line in rows of at most `room` columns, broken at blanks, within a word only where it must be.

    The blanks at a break belong to no row. A wide character in a room of one column gets a row of its own.
    """
    done: list[Row] = []
    start = 0
    while (end := _reach(line, start, room)) < len(line):
        blank = line.rfind(" ", start, end + 1)
        while blank > start and _groups_digits(line, blank):
            blank = line.rfind(" ", start, blank)
        if blank > start and not line[start:blank].isspace():
            done.append(Row(start, line[start:blank]))
            start = blank + 1
            while start < len(line) and line[start] == " ":
                start += 1
        else:
            done.append(Row(start, line[start:end]))
            start = end
    if start < len(line) or not done:
        done.append(Row(start, line[start:]))
    return tuple(done)


def wrap(text: str, room: int, *, hang: int = 0) -> list[str]:
    """All lines of `text` in rows of at most `room` columns.

    A row that continues a line is indented like that line, and by `hang` more, where there is room for that.
    """
    result: list[str] = []
    for line in text.expandtabs(_TAB).split("\n"):
        body = line.lstrip(" ")
        first = len(line) - len(body)
        later = first + hang
        if later > room // 2:
            first = later = 0
        parts = rows(body, room - later)
        result.append((" " * first + parts[0].text).rstrip())
        result.extend(" " * later + part.text for part in parts[1:])
    return result


def hung(lead: str, text: str, width: int) -> list[str]:
    """`text` wrapped to the right of `lead`, later rows beginning under the first; `lead` may be inked."""
    indent = width_of(_INKED.sub("", lead))
    body = wrap(text, max(1, width - indent))
    return [(lead + body[0]).rstrip(), *(" " * indent + line for line in body[1:])]


def cut_end(line: str, room: int) -> str:
    """`line` in at most `room` columns; what was cut off at its end is one ellipsis."""
    if width_of(line) <= room:
        return line
    return line[: _reach(line, 0, room - 1)] + "…" if room > 1 else "…"


def cut_middle(lines: Sequence[str], most: int) -> tuple[list[str], bool]:
    """At most `most` of the lines, the middle ones replaced by their number; and whether any were."""
    if len(lines) <= most:
        return list(lines), False
    head, tail = most // 2, (most - 1) // 2
    gone = len(lines) - head - tail
    return [*lines[:head], f"… {gone} lines …", *lines[len(lines) - tail :]], True


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 check`, `4 checks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _groups_digits(line: str, blank: int) -> bool:
    """Whether this blank stands within a number, as in 1 000 000, which is not to be torn apart."""
    return line[blank - 1].isdecimal() and line[blank + 1 : blank + 4].isdecimal()


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _reach(line: str, start: int, room: int) -> int:
    """The end of the longest part from `start` that fits in `room` columns; at least one character long."""
    if line.isascii():
        return min(len(line), start + max(1, room))
    used = 0
    for index in range(start, len(line)):
        used += _columns(line[index])
        if used > room and index > start:
            return index
    return len(line)
