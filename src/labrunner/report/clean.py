"""The one cleaning of a learner's text, before a terminal, a log or a document sees it."""

import re
from collections.abc import Mapping

from labrunner.model import Json

LIMIT = 100_000

# What a terminal would obey or a reader not see: control characters, bidirectional controls, other invisible
# format characters, unusual line ends, lone surrogates and noncharacters (which XML 1.0 forbids).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def clean(text: str, *, limit: int = LIMIT) -> str:
    r"""`text` with every character that would act instead of being read shown as an escape.

    Newlines and tabs stay; a carriage return becomes `\r`, others `\x1b`, `\u202e`, `\U000e0001`. The answer
    has at most `limit` characters: a longer one is cut in the middle and says how many are missing. Cleaning
    what is clean changes nothing.
    """
    return shorten(_UNSEEN.sub(_escape, text), limit)


def clean_json(value: Json, *, limit: int = LIMIT) -> Json:
    """`value` with every string in it cleaned, keys too."""
    if isinstance(value, str):
        return clean(value, limit=limit)
    if isinstance(value, list):
        return [clean_json(item, limit=limit) for item in value]
    if isinstance(value, dict):
        return clean_object(value, limit=limit)
    return value


def clean_object(value: Mapping[str, Json], *, limit: int = LIMIT) -> dict[str, Json]:
    """A JSON object with every string in it cleaned, keys too."""
    return {clean(key, limit=limit): clean_json(item, limit=limit) for key, item in value.items()}


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters: cut in the middle, saying there how many are missing."""
    if len(text) <= limit:
        return text
    mark = _missing(len(text))
    room = limit - len(mark)
    if room < 2:  # noqa: PLR2004 - one character on either side is the least that is worth showing
        return text[: max(0, limit)]
    head = (room + 1) // 2
    tail = room // 2
    # Padded, so that a smaller count keeps the length that the room was reckoned with.
    exact = _missing(len(text) - room).rjust(len(mark))
    return text[:head] + exact + text[len(text) - tail :]


def _missing(count: int) -> str:
    return f" … {count} characters are missing … "


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == ord("\r"):
        return r"\r"
    if code <= 0xFF:  # noqa: PLR2004 - two hexadecimal digits
        return f"\\x{code:02x}"
    if code <= 0xFFFF:  # noqa: PLR2004 - four hexadecimal digits
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"
