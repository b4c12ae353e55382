"""Expected and seen, side by side, with the first difference marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from labrunner.report.layout import count, cut_end, cut_middle, rows, width_of, wrap

# A text on one line is shown whole in up to this many rows, one of several lines in up to that many lines.
_ROWS = 4
_LINES = 12

# Lines after the first difference among which like ones are looked for.
_WINDOW = 40
_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line to show, labelled `expected`, `seen`, `differs` or nothing; a `mark` points at one above."""

    label: str
    text: str
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to show; `cut` where that is not the whole of both texts."""

    lines: tuple[Line, ...]
    cut: bool


def compare(expected: str | None, seen: str | None, room: int) -> Comparison:
    """Both texts in lines of at most `room` columns, aligned, with a mark at their first difference.

    Two texts of one line each are shown one above the other; where either has more lines, what they share and
    where they part is shown around their first difference.
    """
    room = max(1, room - 1)  # a mark behind the last character needs a column too
    if expected is None or seen is None or expected == seen:
        return _apart(expected, seen, room)
    if not expected or not seen:
        return _apart(expected or "(empty text)", seen or "(empty text)", room)
    # Tabs become blanks first, so that the mark stands where the eye sees the difference.
    wanted, found = expected.expandtabs(4), seen.expandtabs(4)
    if wanted == found:
        wanted, found = expected.replace("\t", "\\t"), seen.replace("\t", "\\t")
    if "\n" in wanted or "\n" in found:
        return _by_line(wanted.split("\n"), found.split("\n"), room)
    return _by_character(wanted, found, room)


def _apart(expected: str | None, seen: str | None, room: int) -> Comparison:
    lines: list[Line] = []
    cut = False
    for label, text in (("expected", expected), ("seen", seen)):
        if text is not None:
            shown, short = cut_middle(wrap(text, room), _LINES)
            lines += [Line(label if index == 0 else "", line) for index, line in enumerate(shown)]
            cut = cut or short
    return Comparison(tuple(lines), cut)


def _by_character(expected: str, seen: str, room: int) -> Comparison:
    at = _first_difference(expected, seen)
    wanted, found, place, cut = _window(expected, seen, at, room * _ROWS)
    lines = [Line("expected" if row.start == 0 else "", row.text) for row in rows(wanted, room)]
    parts = rows(found, room)
    marked = max(index for index, row in enumerate(parts) if row.start <= place)
    for index, row in enumerate(parts):
        lines.append(Line("seen" if index == 0 else "", row.text))
        # Texts that differ from their first character on need no mark to find the place.
        if index == marked and at > 0:
            words = "ends here" if at == len(seen) else "differs from here"
            lines.append(_mark(row.text[: place - row.start], words, room))
    return Comparison(tuple(lines), cut)


def _by_line(expected: Sequence[str], seen: Sequence[str], room: int) -> Comparison:
    first = _first_difference(expected, seen)
    sizes = f"{count(len(expected), 'line')} expected, {len(seen)} seen"
    told = wrap(f"first in line {first + 1}; {sizes}", room)
    lines = [Line("" if index else "differs", text) for index, text in enumerate(told)]
    before = expected[max(0, first - _CONTEXT) : first]
    lines += [Line("", cut_end(line, room)) for line in before]
    pairs = list(_pairs(expected[first : first + _WINDOW], seen[first : first + _WINDOW]))
    shown = 0
    for wanted, found in pairs:
        if len(lines) >= _LINES:
            break
        lines += _pair(wanted, found, room, mark=shown == 0)
        shown += 1
    left = len(expected) - first - sum(wanted is not None for wanted, _ in pairs[:shown])
    right = len(seen) - first - sum(found is not None for _, found in pairs[:shown])
    if left or right:
        lines += [Line("", text) for text in wrap(f"… {left} more expected, {right} more seen …", room)]
    clipped = any(width_of(line) > room for line in (*before, *expected[first:], *seen[first:]))
    return Comparison(tuple(lines), bool(left or right or clipped or first > _CONTEXT))


def _pairs(expected: Sequence[str], seen: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """The lines of both, in order: like ones together, others facing each other or nothing."""
    import difflib

    matcher = difflib.SequenceMatcher(None, expected, seen, autojunk=False)
    for _, left, left_end, right, right_end in matcher.get_opcodes():
        yield from zip_longest(expected[left:left_end], seen[right:right_end])


def _pair(expected: str | None, seen: str | None, room: int, *, mark: bool) -> Iterator[Line]:
    if expected is None or seen is None:
        label, text = ("seen", seen or "") if expected is None else ("expected", expected)
        yield Line(label, cut_end(text, room))
        words, at = ("was not expected" if expected is None else "is missing"), 0
        shown = ""
    elif expected == seen:
        yield Line("", cut_end(seen, room))
        return
    else:
        wanted, found, at, _ = _window(expected, seen, _first_difference(expected, seen), room)
        yield Line("expected", cut_end(wanted, room))
        yield Line("seen", cut_end(found, room))
        shown, words = found[:at], "differs from here"
    if mark:
        yield _mark(shown, words, room)


def _mark(before: str, words: str, room: int) -> Line:
    """A caret under the character that follows `before`, with words where there is room for them."""
    column = width_of(before)
    text = " " * column + "^ " + words
    return Line("", text if len(text) <= room else " " * column + "^", mark=True)


def _window(expected: str, seen: str, at: int, room: int) -> tuple[str, str, int, bool]:
    """Both texts around their first difference, in `room` columns, where that is now, if either was cut."""
    if max(width_of(expected), width_of(seen)) <= room:
        return expected, seen, at, False
    # Enough of what follows the difference must show; what precedes it may give way.
    start = 0 if at <= room // 2 else at - room // 2
    lead = "…" if start else ""
    wanted, found = (cut_end(lead + text[start:], room) for text in (expected, seen))
    return wanted, found, at - start + len(lead), True


def _first_difference(left: Sequence[str], right: Sequence[str]) -> int:
    """The index of the first item in which the two differ, or the length of the one that begins the other."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
