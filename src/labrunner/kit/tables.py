"""Rows side by side: which differ, and two texts that show it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from labrunner.kit.values import grouped, key, shown, typed

Row = Sequence[object]
WINDOW: Final = 400
LEAD: Final = 20


def in_order(rows: Iterable[Row], *, ordered: bool) -> list[tuple[object, ...]]:
    """Return the rows as tuples; rows whose order does not matter come in an order of their own."""
    plain_rows = [tuple(row) for row in rows]
    return plain_rows if ordered else sorted(plain_rows, key=lambda row: [shown(value) for value in row])


def same_rows(expected: Sequence[Row], seen: Sequence[Row], *, ordered: bool) -> bool:
    """Whether both hold the same rows by type and value, each as often, in the same order if `ordered`."""
    if len(expected) != len(seen):
        return False
    expected_keys, seen_keys = [key(row) for row in expected], [key(row) for row in seen]
    return expected_keys == seen_keys if ordered else Counter(expected_keys) == Counter(seen_keys)


def without(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Return the rows that `others` lacks, counting how often each occurs."""
    left = Counter(key(row) for row in others)
    missing = []
    for row in rows:
        row_key = key(row)
        if left[row_key]:
            left[row_key] -= 1
        else:
            missing.append(row)
    return missing


def table_pair(expected: Sequence[Row], seen: Sequence[Row], columns: Sequence[str]) -> tuple[str, str]:
    """Return two tables of the same column widths.

    Tables of more than 400 rows show those around the first difference, and say how many they leave out.
    """
    start = max(0, _first_difference(expected, seen) - LEAD) if max(len(expected), len(seen)) > WINDOW else 0
    windows = [rows[start : start + WINDOW] for rows in (expected, seen)]
    tables = _render(windows, columns, shown)
    if tables[0] == tables[1]:
        tables = _render(windows, columns, typed)
    first, second = (
        _framed(table, start, len(rows) - start - WINDOW)
        for table, rows in zip(tables, (expected, seen), strict=True)
    )
    return first, second


def _first_difference(expected: Sequence[Row], seen: Sequence[Row]) -> int:
    pairs = zip(expected, seen, strict=False)
    return next(
        (index for index, (left, right) in enumerate(pairs) if key(left) != key(right)),
        min(len(expected), len(seen)),
    )


def _render(
    windows: Sequence[Sequence[Row]], columns: Sequence[str], text: Callable[[object], str]
) -> list[list[str]]:
    header = [[shown(name) for name in columns]] if columns else []
    tables = [header + [[text(value) for value in row] for row in rows] for rows in windows]
    widths: list[int] = []
    for cells in (line for table in tables for line in table):
        widths += [0] * (len(cells) - len(widths))
        for index, cell in enumerate(cells):
            widths[index] = max(widths[index], len(cell))
    return [[_line(cells, widths) for cells in table] or ["no rows"] for table in tables]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()


def _framed(lines: Sequence[str], before: int, after: int) -> str:
    head = [f"… {grouped(before)} rows before these"] if before else []
    tail = [f"… {grouped(after)} rows after these"] if after > 0 else []
    return "\n".join([*head, *lines, *tail])
