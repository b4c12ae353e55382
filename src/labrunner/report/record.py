"""From the lines of a grader's process to a report: the place where nothing but a whole record is a pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from labrunner.errors import AuthoringError
from labrunner.model import Check, CheckResult, Fault, Lab, Outcome, Report, ServiceUse, Stage, StageResult
from labrunner.report import decoding, events
from labrunner.report.clean import clean, clean_object

_REMEDY = "grade again; if it stays so, the lab's author must mend the grader"


def read(  # noqa: PLR0913 - the facts of one run, all by name
    lines: Iterable[bytes],
    *,
    lab: Lab,
    stages: tuple[Stage, ...],
    nonce: str,
    services: tuple[ServiceUse, ...],
    isolation: str,
    seed: int,
    started: str,
    duration_s: float,
    version: str,
    fault: Fault | None,
) -> Report:
    """The report of one run: `lines` are what its grader sent, `stages` those of `lab` that were asked for.

    `fault` is one that the caller knows of and the grader cannot (its process ended early, a service died);
    it is then the reason for all that was not judged. A check passes only if it reported once, in its turn,
    that it did, in a record in which every line is in order; with a broken record no check passes. `started`
    is ISO 8601 in UTC, `duration_s` in seconds. Every text that may be a learner's is cleaned. The report
    lists all stages of the lab, and the checks of the stages asked for.
    """
    asked = tuple(check for stage in stages for check in stage.checks)
    reading = _Reading(tuple(check.id for check in asked))
    for number, line in enumerate(lines, start=1):
        reading.take(number, line, nonce)
    reason = _cleaned(fault) if fault is not None else reading.fault()
    checks = tuple(_result(check, reading, reason, known=fault is not None) for check in asked)
    return Report(
        lab=lab.slug,
        lab_hash=lab.hash,
        outcome=_outcome(checks, reason),
        points=sum(check.points for check in checks),
        max_points=sum(check.max_points for check in checks),
        stages=tuple(_stage(stage, reading, checks) for stage in lab.stages),
        checks=checks,
        services=services,
        isolation=isolation,
        seed=seed,
        started=started,
        duration_s=duration_s,
        labrunner=version,
        fault=reason,
    )


def exit_status(report: Report) -> int:
    """What a grade ends with: 0 all passed, 1 some check failed, 3 the lab is at fault, 4 this machine is.

    Where nothing is known to be at fault and yet not every check was judged, that is 3 too.
    """
    blamed = {fault.blame for fault in (report.fault, *(check.fault for check in report.checks)) if fault}
    if "lab" in blamed:
        return 3
    if "machine" in blamed:
        return 4
    if any(check.outcome == "failed" for check in report.checks):
        return 1
    return 0 if report.outcome == "passed" else 3


@dataclass(slots=True)
class _Reading:
    """What has been read so far of one record; `asked` are the ids that must report."""

    asked: tuple[str, ...]
    order: tuple[str, ...] | None = None
    running: str | None = None
    told: dict[str, events.Judged | events.Waiting] = field(default_factory=dict)
    closed: bool = False
    defect: str = ""

    def take(self, number: int, line: bytes, nonce: str) -> None:
        """Read one line; the first thing that is out of order becomes the record's defect."""
        try:
            event = decoding.decode(line, nonce)
            if self.closed:
                _refuse("it comes after the closing record")
            self._accept(event)
        except AuthoringError as error:
            self.defect = self.defect or f"line {number} of its record cannot be used: {error}"

    def fault(self) -> Fault | None:
        """Why this record is not whole, or None if it is."""
        if self.defect:
            return Fault("lab", clean(f"The grader cannot be trusted: {self.defect}."), _REMEDY)
        if self.closed:
            return None
        where = f" It was running the check '{self.running}'." if self.running is not None else ""
        told = f"{len(self.told)} of {len(self.asked)} checks had reported."
        return Fault("lab", clean(f"The grader ended before its closing record: {told}{where}"), _REMEDY)

    def _accept(self, event: events.Event) -> None:
        match event:
            case events.Begin(checks):
                self._begin(checks)
            case events.Start(check):
                self._expect_turn(check)
                self.running = check
            case events.Judged(check):
                in_turn = check == self.running
                self.running = None
                self._keep(check, event)
                if not in_turn:
                    _refuse(f"the check '{check[:80]}' reports without having started")
            case events.Waiting(check):
                self._expect_turn(check)
                self._keep(check, event)
            case events.End(reported):
                self._end(reported)

    def _begin(self, checks: tuple[str, ...]) -> None:
        if self.order is not None:
            _refuse("the run begins a second time")
        self.order = checks
        if len(set(checks)) != len(checks):
            _refuse("it announces a check twice")
        for check in checks:
            if check not in self.asked:
                _refuse(f"it announces the check '{check[:80]}', which was not asked for")
        for check in self.asked:
            if check not in checks:
                _refuse(f"it does not announce the check '{check}'")

    def _expect_turn(self, check: str) -> None:
        if self.order is None:
            _refuse("the run has not begun")
        if self.running is not None:
            _refuse(f"the check '{self.running[:80]}' has started and not reported")
        done = len(self.told)
        if self.order[done : done + 1] != (check,):
            _refuse(f"it is not the turn of the check '{check[:80]}'")

    def _keep(self, check: str, event: events.Judged | events.Waiting) -> None:
        if check in self.asked:
            self.told.setdefault(check, event)

    def _end(self, reported: int) -> None:
        self.closed = True
        if self.running is not None:
            _refuse(f"the check '{self.running[:80]}' has started and not reported")
        if reported != len(self.told):
            _refuse(f"it counts {reported} reports, {len(self.told)} were read")
        if len(self.told) != len(self.asked):
            _refuse(f"{len(self.asked) - len(self.told)} checks have not reported")


def _refuse(what: str) -> NoReturn:
    raise AuthoringError(what)


# ── results ─────────────────────────────────────────────────────────────────────────────────────


def _result(check: Check, reading: _Reading, reason: Fault | None, *, known: bool) -> CheckResult:
    """One check's result; `reason` is why the record is not whole, `known` that the caller said so itself."""
    event = reading.told.get(check.id)
    if isinstance(event, events.Waiting):
        return _unjudged(check, clean(event.message), None)
    if event is None:
        return _unjudged(check, "It did not report.", reason)
    if event.outcome == "passed" and reading.defect:
        return _unjudged(check, "It reported that it passed, in a record that cannot be trusted.", reason)
    fault = None if event.fault is None else _cleaned(event.fault)
    return CheckResult(
        id=check.id,
        stage=check.stage,
        sentence=check.sentence,
        outcome=event.outcome,
        points=check.points if event.outcome == "passed" else 0,
        max_points=check.points,
        message=clean(event.message),
        expected=None if event.expected is None else clean(event.expected),
        seen=None if event.seen is None else clean(event.seen),
        evidence=clean_object(event.evidence or {}),
        hints=check.hints,
        duration_s=event.duration_s,
        # What the caller knows explains what the grader could only notice.
        fault=reason if fault is not None and known else fault,
    )


def _unjudged(check: Check, message: str, fault: Fault | None) -> CheckResult:
    return CheckResult(
        id=check.id,
        stage=check.stage,
        sentence=check.sentence,
        outcome="not_judged",
        points=0,
        max_points=check.points,
        message=message,
        expected=None,
        seen=None,
        evidence={},
        hints=check.hints,
        duration_s=0.0,
        fault=fault,
    )


def _stage(stage: Stage, reading: _Reading, checks: tuple[CheckResult, ...]) -> StageResult:
    own = [check for check in checks if check.stage == stage.id]
    waiting = bool(own) and all(isinstance(reading.told.get(check.id), events.Waiting) for check in own)
    return StageResult(stage.id, stage.title, _common(own), waiting)


def _outcome(checks: tuple[CheckResult, ...], reason: Fault | None) -> Outcome:
    if reason is not None or any(check.fault is not None for check in checks):
        return "not_judged"
    return _common(checks)


def _common(checks: Sequence[CheckResult]) -> Outcome:
    """Failed if one failed, passed if there are any and all passed, not judged otherwise."""
    if any(check.outcome == "failed" for check in checks):
        return "failed"
    if checks and all(check.outcome == "passed" for check in checks):
        return "passed"
    return "not_judged"


def _cleaned(fault: Fault) -> Fault:
    return Fault(fault.blame, clean(fault.message), clean(fault.remedy))
