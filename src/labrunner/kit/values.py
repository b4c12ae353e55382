"""Plain values: whether two are the same, how one is shown, and how one travels as JSON."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from labrunner.model import Json

# What a failure carries must fit into one line of the event protocol, escapes included.
MESSAGE_BYTES: Final = 20_000
TEXT_BYTES: Final = 250_000
EVIDENCE_BYTES: Final = 250_000
EVIDENCE_TEXT_BYTES: Final = 60_000
EVIDENCE_ITEMS: Final = 200
EVIDENCE_DEPTH: Final = 10
# Beyond it JSON's readers disagree about a number.
EXACT: Final = 2**53

TYPE_NAMES: Final[Mapping[str, str]] = {
    "NoneType": "NULL",
    "bool": "boolean",
    "int": "integer",
    "float": "double precision",
    "Decimal": "numeric",
    "str": "text",
    "bytes": "bytea",
}


def key(value: object) -> object:
    """Return what two values share exactly when they are the same by type and by value.

    True is not 1 and 1 is not 1.0, but Decimal("1.0") is Decimal("1.00") and NaN is NaN. Lists, tuples and
    dictionaries are compared item by item in the same way.
    """
    kind = type(value)
    if isinstance(value, list | tuple):
        return (kind, tuple(key(item) for item in value))
    if isinstance(value, dict):
        return (kind, frozenset((key(k), key(v)) for k, v in value.items()))
    if isinstance(value, float | Decimal) and value != value:  # noqa: PLR0124 (NaN alone differs from itself)
        return (kind, "NaN")
    return (kind, value)


def same(left: object, right: object) -> bool:
    """Whether two values are equal by type and by value."""
    return key(left) == key(right)


def shown(value: object) -> str:
    """Return the text of one value: words as they are, everything that could be misread in quotes."""
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if _is_clear(text) else _quoted(text)
    if isinstance(value, tuple | list):
        inner = ", ".join(shown(item) for item in value)
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    return str(value)


def typed(value: object) -> str:
    """Return the text of one value with its type, for two values that otherwise look alike."""
    if isinstance(value, tuple | list):
        return "(" + ", ".join(typed(item) for item in value) + ")"
    name = type(value).__name__
    return f"{shown(value)} ({TYPE_NAMES.get(name, name)})"


def pair(expected: object, seen: object) -> tuple[str, str]:
    """Return the texts of two different values: long texts as they are, look-alikes with their types."""
    if isinstance(expected, str) and isinstance(seen, str) and "\n" in expected + seen:
        return expected, seen
    texts = shown(expected), shown(seen)
    return texts if texts[0] != texts[1] else (typed(expected), typed(seen))


def plain(value: object, depth: int = 0) -> Json:
    """Return `value` as JSON data; what JSON has no word for becomes text, and what is huge is cut."""
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _plain_container(value, depth) if depth < EVIDENCE_DEPTH else "…"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < EXACT:
        return value
    text = value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else shown(value)
    return cut(text, EVIDENCE_TEXT_BYTES)


def _plain_container(value: Mapping[Any, Any] | Collection[Any], depth: int) -> Json:
    if isinstance(value, Mapping):
        return {str(name): plain(inner, depth + 1) for name, inner in islice(value.items(), EVIDENCE_ITEMS)}
    items = [plain(item, depth + 1) for item in islice(value, EVIDENCE_ITEMS)]
    left_out = len(value) - EVIDENCE_ITEMS
    return [*items, f"… {grouped(left_out)} more"] if left_out > 0 else items


def cut(text: str, size: int) -> str:
    """Return `text`, cut in its middle so that it takes at most about `size` bytes as JSON."""
    keep = len(text)
    short = text
    while len(json.dumps(short)) > size:
        keep = keep * 2 // 3
        head, tail = text[: keep // 2], text[len(text) - keep // 2 :]
        short = f"{head}\n… {grouped(len(text) - keep)} characters …\n{tail}"
    return short


def grouped(number: float) -> str:
    """Return a number with its thousands apart: 1 241."""
    return f"{number:,}".replace(",", " ")


def _is_clear(text: str) -> bool:
    return (
        text.isprintable()
        and text == text.strip()
        and text not in {"", "NULL", "true", "false"}
        and "|" not in text
    )


def _quoted(text: str) -> str:
    visible = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return "'" + "".join(visible).replace("'", "''") + "'"
