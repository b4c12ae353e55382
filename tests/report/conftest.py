from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from labrunner.model import CheckResult, Fault, Report, ServiceUse, StageResult

FAILED = CheckResult(
    id="email-lookup",
    stage="lookups",
    sentence="Finding a customer by email reads a handful of pages",
    outcome="failed",
    points=0,
    max_points=3,
    message="The blocks grow with the table.",
    expected="at most 8 blocks",
    seen="1 241 blocks",
    evidence={"plan": "Seq Scan on customers\n  Filter: lower(email) = $1"},
    hints=3,
    duration_s=0.25,
)
PASSED = replace(
    FAILED,
    id="same-rows",
    sentence="Finding a customer by email returns what it returned before",
    outcome="passed",
    points=1,
    max_points=1,
    message="",
    expected=None,
    seen=None,
    evidence={},
    hints=0,
)
WAITING = replace(
    PASSED,
    id="order",
    stage="joins",
    sentence="Orders come with their customer",
    outcome="not_judged",
    points=0,
    max_points=2,
    message="waits for the stage 'Lookups'",
    duration_s=0.0,
)
STOPPED = replace(
    WAITING,
    id="stopped",
    stage="lookups",
    sentence="Ten lookups take ten statements",
    message="It did not report.",
    fault=Fault("machine", "The server went away.", "start it and grade again"),
)


@pytest.fixture
def failed() -> CheckResult:
    return FAILED


@pytest.fixture
def passed() -> CheckResult:
    return PASSED


@pytest.fixture
def waiting() -> CheckResult:
    return WAITING


@pytest.fixture
def stopped() -> CheckResult:
    return STOPPED


@pytest.fixture
def report_of() -> Callable[..., Report]:
    """A report of the checks given, in the stages that they name; anything else may be given by name."""
    return _report_of


def _report_of(*checks: CheckResult, **changes: Any) -> Report:
    faults = any(check.fault for check in checks) or changes.get("fault") is not None
    outcome: Any = "not_judged" if faults else _common([check.outcome for check in checks])
    made = Report(
        lab="phase3-indexes",
        lab_hash="sha256:ab12",
        outcome=outcome,
        points=sum(check.points for check in checks),
        max_points=sum(check.max_points for check in checks),
        stages=tuple(_stage(name, checks) for name in dict.fromkeys(check.stage for check in checks)),
        checks=checks,
        services=(ServiceUse("postgres", "containers", "18"),),
        isolation="strict",
        seed=4711,
        started="2025-03-01T10:00:00.125+00:00",
        duration_s=0.8,
        labrunner="0.1.0",
    )
    return replace(made, **changes)


def _stage(name: str, checks: tuple[CheckResult, ...]) -> StageResult:
    own = [check for check in checks if check.stage == name]
    waiting = all(check.outcome == "not_judged" and check.fault is None for check in own)
    return StageResult(name, name.title(), _common([check.outcome for check in own]), waiting)


def _common(outcomes: list[Any]) -> Any:
    if "failed" in outcomes:
        return "failed"
    return "passed" if set(outcomes) == {"passed"} else "not_judged"
