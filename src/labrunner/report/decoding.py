"""Reads the events of a grader's process, strictly: whatever is not exactly an event is refused.

Exact keys and types, finite numbers, no key twice, bounded depth and length, and the run's own nonce.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast, get_args

from labrunner.errors import AuthoringError
from labrunner.model import Blame, Fault, Json, Outcome
from labrunner.report.events import DEPTH, LINE_BYTES, Begin, End, Event, Judged, Start, Waiting


def decode(line: bytes, nonce: str) -> Event:
    """The event that one line carries.

    AuthoringError, saying what is wrong, for everything that is not exactly such a line with this nonce.
    """
    if len(line) > LINE_BYTES:
        _refuse(f"it has {len(line)} bytes, more than {LINE_BYTES}")
    fields = _parse(line.removesuffix(b"\n"))
    if fields.get("nonce") != nonce:
        _refuse("its nonce is not this run's")
    name = fields.get("event")
    reader = _READERS.get(name) if isinstance(name, str) else None
    if reader is None:
        _refuse(f"'{str(name)[:40]}' is no event")
    keys, read = reader
    wanted = {"event", "nonce", *keys}
    if fields.keys() != wanted:
        odd = ", ".join(sorted(wanted ^ fields.keys()))[:200]
        _refuse(f"the event {name} has the wrong keys: {odd}")
    return read(fields)


def _parse(line: bytes) -> dict[str, Any]:
    if b"\n" in line:
        _refuse("it is more than one line")
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        _refuse(f"it is no plain JSON: {str(error)[:200]}")
    if not isinstance(value, dict):
        _refuse("it is no JSON object")
    if not _shallow(value, DEPTH):
        _refuse(f"it is nested more than {DEPTH} deep")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _refuse("it has a key twice")
    return fields


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(f"the number {text[:40]} is not finite")
    return number


def _constant(text: str) -> NoReturn:
    _refuse(f"the number {text} is not finite")


def _shallow(value: Json, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(item, levels - 1) for item in items)


def _begin(fields: Mapping[str, Any]) -> Begin:
    checks = fields["checks"]
    if type(checks) is not list or not all(type(item) is str for item in checks):
        _refuse("checks is no list of ids")
    return Begin(tuple(checks))


def _start(fields: Mapping[str, Any]) -> Start:
    return Start(_text(fields, "check"))


def _check(fields: Mapping[str, Any]) -> Judged:
    outcome = _text(fields, "outcome")
    if outcome not in get_args(Outcome):
        _refuse(f"'{outcome[:40]}' is no outcome")
    fault = None if fields["fault"] is None else _fault(fields["fault"])
    if (fault is not None) != (outcome == "not_judged"):
        _refuse(f"the outcome {outcome} and the fault contradict each other")
    evidence, duration_s = fields["evidence"], fields["duration_s"]
    if type(evidence) is not dict:
        _refuse("evidence is no object")
    if type(duration_s) is not float or duration_s < 0:
        _refuse("duration_s is no number of seconds")
    return Judged(
        check=_text(fields, "check"),
        outcome=cast("Outcome", outcome),
        message=_text(fields, "message"),
        expected=_text_or_none(fields, "expected"),
        seen=_text_or_none(fields, "seen"),
        evidence=evidence,
        duration_s=duration_s,
        fault=fault,
    )


def _fault(value: object) -> Fault:
    if type(value) is not dict or value.keys() != {"blame", "message", "remedy"}:
        _refuse("fault is no object of blame, message and remedy")
    fields = cast("dict[str, Any]", value)
    blame = _text(fields, "blame")
    if blame not in get_args(Blame):
        _refuse(f"'{blame[:40]}' is nobody to blame")
    return Fault(cast("Blame", blame), _text(fields, "message"), _text(fields, "remedy"))


def _waiting(fields: Mapping[str, Any]) -> Waiting:
    return Waiting(_text(fields, "check"), _text(fields, "message"))


def _end(fields: Mapping[str, Any]) -> End:
    reported = fields["reported"]
    if type(reported) is not int or reported < 0:
        _refuse("reported is no count")
    return End(reported)


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields[key]
    if type(value) is not str:
        _refuse(f"{key} is no text")
    return value


def _text_or_none(fields: Mapping[str, Any], key: str) -> str | None:
    return None if fields[key] is None else _text(fields, key)


def _refuse(what: str) -> NoReturn:
    raise AuthoringError(what, hint="let only labrunner.report.events write to the descriptor of the events")


_CHECK = ("check", "outcome", "message", "expected", "seen", "evidence", "duration_s", "fault")

_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any]], Event]]] = {
    "begin": (("checks",), _begin),
    "start": (("check",), _start),
    "check": (_CHECK, _check),
    "waiting": (("check", "message"), _waiting),
    "end": (("reported",), _end),
}
