"""Writes the events of a grader's process, each as one line that the reader will accept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import cast

from labrunner.errors import AuthoringError
from labrunner.model import Json
from labrunner.report.clean import LIMIT, shorten
from labrunner.report.decoding import decode
from labrunner.report.events import LINE_BYTES, Judged


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
