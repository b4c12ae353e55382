"""Plain values: whether two are the same, how one is shown, and how one travels as JSON."""

import json
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from labrunner.model import Json

# What a failure carries must fit into one line of the event protocol, escapes included.
MESSAGE_BYTES: Final = 20_000
TEXT_BYTES: Final = 250_000
EVIDENCE_BYTES: Final = 250_000
EVIDENCE_TEXT_BYTES: Final = 60_000
EVIDENCE_ITEMS: Final = 200
EVIDENCE_DEPTH: Final = 10

TYPE_NAMES: Final[Mapping[str, str]] = {
    "NoneType": "NULL",
    "bool": "boolean",
    "int": "integer",
    "float": "double precision",
    "Decimal": "numeric",
    "str": "text",
    "bytes": "bytea",
}


def key(value: object) -> Hashable:
    """Return what two values share exactly when they are the same by type and by value.

    True is not 1 and 1 is not 1.0, but Decimal("1.0") is Decimal("1.00") and NaN is NaN. Lists, tuples and
    dictionaries are compared item by item in the same way.
    """
    name = type(value).__name__
    if isinstance(value, list | tuple):
        return (name, tuple(key(item) for item in value))
    if isinstance(value, dict):
        return (name, frozenset((key(k), key(v)) for k, v in value.items()))
    if isinstance(value, set | frozenset):
        return (name, frozenset(key(item) for item in value))
    if isinstance(value, float | Decimal) and value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return (name, "NaN")
    if isinstance(value, Hashable):
        return (name, value)
    return (name, repr(value))


def same(left: object, right: object) -> bool:
    """Whether two values are equal by type and by value."""
    return key(left) == key(right)


def shown(value: object) -> str:
    """Return the text of one value: words as they are, everything that could be misread in quotes."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if _is_clear(text) else _quoted(text)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, tuple):
        return "(" + ", ".join(shown(item) for item in value) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in value.items()) + "}"
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
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, str):
        return cut(value.encode("utf-8", "backslashreplace").decode(), EVIDENCE_TEXT_BYTES)
    if depth >= EVIDENCE_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {str(k): plain(v, depth + 1) for k, v in list(value.items())[:EVIDENCE_ITEMS]}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        items = [plain(item, depth + 1) for item in list(value)[:EVIDENCE_ITEMS]]
        return items if len(value) <= EVIDENCE_ITEMS else [*items, f"… {len(value) - EVIDENCE_ITEMS} more"]
    return cut(shown(value), EVIDENCE_TEXT_BYTES)


def cut(text: str, size: int) -> str:
    """Return `text`, cut in its middle so that it takes at most about `size` bytes as JSON."""
    keep = len(text)
    short = text
    while len(json.dumps(short)) > size:
        keep = keep * 2 // 3
        short = f"{text[: keep // 2]}\n… {grouped(len(text) - keep)} characters …\n{text[len(text) - keep // 2 :]}"
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
