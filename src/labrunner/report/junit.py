"""JUnit XML of a report, in the format that Ant began and Jenkins documents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labrunner.model import CheckResult, Fault, Report, StageResult
from labrunner.report.clean import clean

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def to_junit(report: Report) -> str:
    """The report as a JUnit XML document: one suite for each stage, one case for each check.

    failed is a failure, waiting is skipped, not judged because of a fault is an error. A fault of the whole
    run is one more suite, `run`, so that a run that is no pass never reads as one. Characters that XML 1.0
    forbids never appear.
    """
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", _attributes(report.lab, report.checks, report.fault))
    root.set("time", _seconds(report.duration_s))
    for number, stage in enumerate(report.stages):
        checks = [check for check in report.checks if check.stage == stage.id]
        _suite(root, report, stage, number, checks)
    if report.fault is not None:
        _fault_suite(root, report, report.fault)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(
    root: "Element", report: Report, stage: StageResult, number: int, checks: Sequence[CheckResult]
) -> None:
    suite = _child(root, "testsuite", _attributes(f"{report.lab}.{stage.id}", checks, None))
    suite.set("skipped", str(sum(_skipped(check) for check in checks)))
    suite.set("id", str(number))
    suite.set("time", _seconds(sum(check.duration_s for check in checks)))
    suite.set("timestamp", _timestamp(report.started))
    _properties(suite, report, stage)
    for check in checks:
        _case(suite, report, check)


def _fault_suite(root: "Element", report: Report, fault: Fault) -> None:
    suite = _child(root, "testsuite", _attributes(f"{report.lab}.run", (), fault))
    suite.set("skipped", "0")
    suite.set("id", str(len(report.stages)))
    suite.set("time", _seconds(0))
    suite.set("timestamp", _timestamp(report.started))
    case = _child(suite, "testcase", {"name": "run", "classname": f"{report.lab}.run", "time": _seconds(0)})
    _error(case, fault)


def _properties(suite: "Element", report: Report, stage: StageResult) -> None:
    facts = {
        "title": stage.title,
        "outcome": stage.outcome,
        "lab_hash": report.lab_hash,
        "labrunner": report.labrunner,
        "isolation": report.isolation,
        "seed": str(report.seed),
    }
    facts |= {f"service.{use.name}": f"{use.version} ({use.backend})" for use in report.services}
    properties = _child(suite, "properties", {})
    for name, value in facts.items():
        _child(properties, "property", {"name": name, "value": value})


def _case(suite: "Element", report: Report, check: CheckResult) -> None:
    facts = {"name": check.id, "classname": f"{report.lab}.{check.stage}", "time": _seconds(check.duration_s)}
    case = _child(suite, "testcase", facts)
    if check.fault is not None:
        _error(case, check.fault)
    elif check.outcome == "failed":
        failure = _child(case, "failure", {"type": "failed", "message": check.message})
        failure.text = clean(_detail(check))
    elif check.outcome != "passed":
        _child(case, "skipped", {"message": check.message})
    out = _child(case, "system-out", {})
    out.text = clean(f"{check.sentence}\n{check.points} of {check.max_points} points")


def _error(case: "Element", fault: Fault) -> None:
    error = _child(case, "error", {"type": fault.blame, "message": fault.message})
    error.text = clean(fault.remedy)


def _detail(check: CheckResult) -> str:
    texts = [check.sentence, check.message]
    if check.expected is not None:
        texts.append(f"expected:\n{check.expected}")
    if check.seen is not None:
        texts.append(f"seen:\n{check.seen}")
    return "\n\n".join(texts)


def _attributes(name: str, checks: Sequence[CheckResult], fault: Fault | None) -> dict[str, str]:
    """The name and the counts of a suite or of all suites; `fault` counts as one more case."""
    errors = sum(check.fault is not None for check in checks) + (fault is not None)
    failures = sum(check.outcome == "failed" for check in checks)
    tests = len(checks) + (fault is not None)
    return {"name": name, "tests": str(tests), "failures": str(failures), "errors": str(errors)}


def _skipped(check: CheckResult) -> bool:
    return check.outcome == "not_judged" and check.fault is None


def _child(parent: "Element", tag: str, attributes: dict[str, str]) -> "Element":
    child = parent.makeelement(tag, {name: clean(value) for name, value in attributes.items()})
    parent.append(child)
    return child


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}"


def _timestamp(started: str) -> str:
    """ISO 8601 without a zone or a fraction, as the format has it; it is UTC."""
    return started[: len("2000-01-01T00:00:00")]
