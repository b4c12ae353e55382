"""The lines that a grader's process sends while it grades: made by its plugin, read by the parent.

One JSON object a line, each with the run's nonce. Reading is strict: exact keys and types, finite numbers, no
key twice, bounded depth and length. Whatever else arrives is refused with an AuthoringError that says why.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn, cast, get_args

from labrunner.errors import AuthoringError
from labrunner.model import Blame, Fault, Json, Outcome
from labrunner.report.clean import LIMIT, shorten

LINE_BYTES = 1_000_000
DEPTH = 32


@dataclass(frozen=True, slots=True)
class Begin:
    """The run begins; `checks` are the ids in the order in which they will report."""

    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """A check starts to run."""

    check: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A check has run. `fault` is set exactly when the outcome is `not_judged`; texts are uncleaned."""

    check: str
    outcome: Outcome
    message: str = ""
    expected: str | None = None
    seen: str | None = None
    evidence: Mapping[str, Json] | None = None
    duration_s: float = 0.0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A check was not run, because an earlier stage or a check that it needs failed."""

    check: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The closing record; `reported` is the number of Judged and Waiting events before it."""

    reported: int


Event = Begin | Start | Judged | Waiting | End


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


def begin(nonce: str, checks: Sequence[str]) -> bytes:
    """The line that opens a run: the ids of its checks in the order in which they will report."""
    return _line({"event": "begin", "nonce": nonce, "checks": list(checks)})


def start(nonce: str, check: str) -> bytes:
    """The line that says that a check starts to run."""
    return _line({"event": "start", "nonce": nonce, "check": check})


def check(nonce: str, judged: Judged) -> bytes:
    """The line that carries a check's outcome.

    Texts too long for one line are cut in the middle; evidence that is still too large is left out, and says
    so. AuthoringError where the evidence is no plain JSON data, or outcome and fault contradict each other.
    """
    try:
        line = _encode(_judged(nonce, judged))
        for limit in (LIMIT, 20_000, 4_000, 800):
            if len(line) <= LINE_BYTES:
                break
            line = _encode(_judged(nonce, _shortened(judged, limit)))
        if len(line) > LINE_BYTES:
            size = len(line)
            left_out: dict[str, Json] = {"left out": f"the evidence, {size} bytes, is too large for a report"}
            line = _encode(_judged(nonce, replace(_shortened(judged, 800), evidence=left_out)))
        decode(line, nonce)
    except (AuthoringError, TypeError, ValueError, RecursionError) as error:
        raise AuthoringError(
            f"check '{judged.check}': its result cannot be reported: {error}",
            hint="give evidence as plain JSON data: str, int, finite float, bool, None, list, dict of str",
        ) from error
    return line


def waiting(nonce: str, check: str, message: str) -> bytes:
    """The line that says that a check was not run, and what it waits for."""
    text = shorten(message, LIMIT)
    return _line({"event": "waiting", "nonce": nonce, "check": check, "message": text})


def end(nonce: str, reported: int) -> bytes:
    """The closing record: how many checks were reported by `check` and `waiting`."""
    return _line({"event": "end", "nonce": nonce, "reported": reported})


def _judged(nonce: str, judged: Judged) -> dict[str, object]:
    return {
        "event": "check",
        "nonce": nonce,
        "check": judged.check,
        "outcome": judged.outcome,
        "message": judged.message,
        "expected": judged.expected,
        "seen": judged.seen,
        "evidence": dict(judged.evidence or {}),
        "duration_s": float(judged.duration_s),
        "fault": None if judged.fault is None else asdict(judged.fault),
    }


def _shortened(judged: Judged, limit: int) -> Judged:
    fault = judged.fault
    if fault is not None:
        fault = replace(fault, message=shorten(fault.message, limit), remedy=shorten(fault.remedy, limit))
    return replace(
        judged,
        message=shorten(judged.message, limit),
        expected=None if judged.expected is None else shorten(judged.expected, limit),
        seen=None if judged.seen is None else shorten(judged.seen, limit),
        evidence=cast("Mapping[str, Json]", _shortened_json(dict(judged.evidence or {}), limit)),
        fault=fault,
    )


def _shortened_json(value: Json, limit: int) -> Json:
    if isinstance(value, str):
        return shorten(value, limit)
    if isinstance(value, list):
        return [_shortened_json(item, limit) for item in value]
    if isinstance(value, dict):
        return {shorten(key, limit): _shortened_json(item, limit) for key, item in value.items()}
    return value


def _line(event: Mapping[str, object]) -> bytes:
    line = _encode(event)
    decode(line, str(event["nonce"]))
    return line


def _encode(event: Mapping[str, object]) -> bytes:
    return json.dumps(event, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


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
