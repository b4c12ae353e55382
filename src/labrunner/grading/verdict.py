"""From what a check raised to its outcome: whose fault it is, and in whose words."""

import traceback
from pathlib import Path

import pytest

from labrunner import kit
from labrunner.errors import AuthoringError, MachineError
from labrunner.grading.deadline import DeadlineError
from labrunner.kit.failures import Failure, NotJudged
from labrunner.model import Fault
from labrunner.report.events import Judged

_MEND = "mend the grader"
_KIT = Path(kit.__file__).parent


def judged_from(
    check: str, raised: BaseException | None, *, grader: Path, check_s: float, seconds: float
) -> Judged:
    """The outcome of a check that raised this, or nothing.

    A Failure or a plain assertion is the learner's; a MachineError or NotJudged is the machine's; whatever
    else comes out of a grader is the lab's, with the place in the grader where it happened.
    """
    match raised:
        case None:
            return Judged(check, "passed", duration_s=seconds)
        case Failure():
            return Judged(
                check,
                "failed",
                message=raised.message,
                expected=raised.expected,
                seen=raised.seen,
                evidence=raised.evidence,
                duration_s=seconds,
            )
        case DeadlineError() if _passes(raised, _KIT):
            return Judged(
                check, "failed", message=f"This did not finish within {check_s:g} s.", duration_s=seconds
            )
        case DeadlineError():
            fault = Fault(
                "lab", f"{place(raised, grader)}: the grader did not finish within {check_s:g} s", _MEND
            )
        case pytest.skip.Exception() | pytest.xfail.Exception():
            fault = Fault("lab", f"the grader skipped this check: {raised.msg}", _MEND)
        case AssertionError():
            # Only the author's own words are for the learner: introspection would show the grader's values.
            words = str(raised).strip().splitlines()
            return Judged(
                check,
                "failed",
                message=words[0] if words else "The behaviour does not hold.",
                duration_s=seconds,
            )
        case NotJudged():
            fault = Fault("machine", raised.message, raised.remedy)
        case MachineError():
            fault = Fault("machine", str(raised), raised.hint)
        case AuthoringError():
            fault = Fault("lab", str(raised), raised.hint)
        case _:
            words = str(raised).strip().splitlines()
            what = f"{type(raised).__name__}: {words[0]}" if words else type(raised).__name__
            fault = Fault("lab", f"{place(raised, grader)}: the grader raised {what}", _MEND)
    return Judged(check, "not_judged", duration_s=seconds, fault=fault)


def _passes(error: BaseException, folder: Path) -> bool:
    """Whether an exception came through code in this folder: in the kit, it was waiting for the learner."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(frame.filename).is_relative_to(folder) for frame in frames)


def place(error: BaseException, grader: Path) -> str:
    """Where in the grader an exception was raised last, as file:line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(grader)]
    last = (inside or list(frames))[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else str(grader)
