"""What stands below a failed check: expected and seen, evidence, how to see it oneself, if hints exist."""

import json
from collections.abc import Iterator

from labrunner.model import CheckResult, Json
from labrunner.report.difference import Comparison, Line, compare
from labrunner.report.layout import count, cut_middle, width_of, wrap

# A longer label stands on a line of its own.
_LABEL = 14
_GAP = 3

# The lines of one piece of evidence; a plan of a few joins is to fit.
_LINES = 20
_HANG = 2

# Where `grade` leaves what a failed check ran.
_REPLAY = "labrunner services shell postgres < .labrunner/replay/{}.sql"

_EMPTY: tuple[Json, ...] = (None, "", [], {})


def label_width(check: CheckResult) -> int:
    """The columns of the widest label among the check's findings, with the gap that follows it."""
    labels = ["expected", *(label for label, _ in _evidence(check))]
    return max(width_of(label) for label in labels if width_of(label) <= _LABEL) + _GAP


def findings(check: CheckResult, room: int) -> Comparison:
    """The labelled lines below a check, each in `room` columns but for commands to type, which stay whole."""
    compared = compare(check.expected, check.seen, room)
    lines, cut = list(compared.lines), compared.cut
    for label, value in _evidence(check):
        own_line = width_of(label) > _LABEL
        shown, short = cut_middle(wrap(_text(value), room, hang=_HANG), _LINES)
        cut = cut or short
        if own_line:
            lines += [Line("", part) for part in wrap(f"{label}:", room)]
        lines += [Line("" if own_line or index else label, text) for index, text in enumerate(shown)]
    command = check.evidence.get("yourself")
    if not command and check.evidence.get("replay"):
        command = _REPLAY.format(check.id)
    if command:
        # Never wrapped: it is there to be copied.
        typed = _text(command).split("\n")
        lines += [Line("yourself" if index == 0 else "", text) for index, text in enumerate(typed)]
    if check.hints:
        lines.append(Line("hint", f"{count(check.hints, 'level')} on offer"))
    return Comparison(tuple(lines), cut)


def _evidence(check: CheckResult) -> Iterator[tuple[str, Json]]:
    """The labels and values of the evidence, the plans first; not the command to type, nor what is empty."""
    evidence = {key.replace("_", " "): value for key, value in check.evidence.items() if value not in _EMPTY}
    evidence.pop("yourself", None)
    evidence.pop("replay", None)
    if "plan before" in evidence and "plan" in evidence:
        yield "plan before", evidence.pop("plan before")
        yield "plan now", evidence.pop("plan")
    elif "plan" in evidence:
        yield "plan", evidence.pop("plan")
    yield from evidence.items()


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and not any(isinstance(item, list | dict) for item in value):
        return "\n".join(_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False)
