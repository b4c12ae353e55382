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

MEND = "mend the grader"
_KIT = Path(kit.__file__).parent


def judged_from(
    check: str, raised: BaseException | None, *, grader: Path, check_s: float, seconds: float
) -> Judged:
    """The outcome of a check that raised this, or nothing, after this many seconds.

    A Failure or a plain assertion is the learner's; a MachineError or NotJudged is the machine's; whatever
    else comes out of a grader is the lab's, with the place in the grader where it happened.
    """
    match raised:
        case None:
            return Judged(check, "passed", duration_s=seconds)
        case Failure(message=message, expected=expected, seen=seen, evidence=evidence):
            return Judged(check, "failed", message, expected, seen, evidence, seconds)
        case DeadlineError() if _passes(raised, _KIT):
            return Judged(check, "failed", f"This did not finish within {check_s:g} s.", duration_s=seconds)
        case AssertionError():
            # Only the author's own words are for the learner: introspection would show the grader's values.
            words = str(raised).strip().splitlines() or ["The behaviour does not hold."]
            return Judged(check, "failed", words[0], duration_s=seconds)
        case _:
            fault = _fault(raised, grader, check_s)
            return Judged(check, "not_judged", duration_s=seconds, fault=fault)


def place(error: BaseException, grader: Path) -> str:
    """Where in the grader an exception was raised last, as file:line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(grader)]
    last = (inside or list(frames))[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else str(grader)


def _fault(raised: BaseException, grader: Path, check_s: float) -> Fault:
    match raised:
        case NotJudged():
            return Fault("machine", raised.message, raised.remedy)
        case MachineError():
            return Fault("machine", str(raised), raised.hint)
        case AuthoringError():
            return Fault("lab", str(raised), raised.hint)
        case DeadlineError():
            where = place(raised, grader)
            return Fault("lab", f"{where}: the grader did not finish within {check_s:g} s", MEND)
        case pytest.skip.Exception() | pytest.xfail.Exception():
            return Fault("lab", f"the grader skipped this check: {raised.msg}", MEND)
        case _:
            words = str(raised).strip().splitlines()
            what = f"{type(raised).__name__}: {words[0]}" if words else type(raised).__name__
            return Fault("lab", f"{place(raised, grader)}: the grader raised {what}", MEND)


def _passes(error: BaseException, folder: Path) -> bool:
    """Whether an exception came through code in this folder: in the kit, it was waiting for the learner."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(frame.filename).is_relative_to(folder) for frame in frames)
