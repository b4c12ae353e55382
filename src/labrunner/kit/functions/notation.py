"""JSON as the protocol has it: ASCII, no key twice, no number that is none."""

import json
import json.encoder
from typing import Any, Final, NoReturn

# JSON data of which nothing is known yet.
Data = Any


class MalformedError(Exception):
    """What was read is no message of the protocol; `str(error)` says what is wrong with it."""


def parsed(message: bytes) -> dict[str, Data]:
    """Return the JSON object of a message. Raises MalformedError, for whatever bytes."""
    try:
        text = message.decode("ascii")
        data, end = _scan(text, 0)
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    except (ValueError, StopIteration):
        raise MalformedError("it is not JSON as the protocol has it") from None
    if type(data) is not dict or end != len(text):
        raise MalformedError("it is not one JSON object")
    return data


def written(data: object) -> bytes:
    """Return JSON data as a message."""
    return "".join(_write(data, 0)).encode()


def _object(pairs: list[tuple[str, Data]]) -> dict[str, Data]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key is there twice")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


# Decoder and encoder without what `json` does around them for each text, which takes longer than they do.
_json: Final[Any] = json
_scan: Final = _json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant).scan_once
_write: Final = _json.encoder.c_make_encoder(
    None, None, _json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
)
