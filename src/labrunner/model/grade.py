"""What comes of a grade."""

from collections.abc import Mapping
from dataclasses import dataclass

from labrunner.model.service import ServiceUse
from labrunner.model.words import Blame, Json, Outcome


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something could not be judged: the `lab` is written wrongly, or this `machine` lacks something."""

    blame: Blame
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    `expected` and `seen` are whole, uncut texts, or None when the failure has none. `evidence` holds what the
    grader saw from outside: a plan, statements, a transcript. `fault` is set only when the outcome is
    `not_judged` for a reason other than waiting for another check or stage.
    """

    id: str
    stage: str
    sentence: str
    outcome: Outcome
    points: int
    max_points: int
    message: str
    expected: str | None
    seen: str | None
    evidence: Mapping[str, Json]
    hints: int
    duration_s: float
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class StageResult:
    """A stage's outcome; `waiting` stages were not run because an earlier one failed."""

    id: str
    title: str
    outcome: Outcome
    waiting: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one grade run. report.json is made of exactly this."""

    lab: str
    lab_hash: str
    outcome: Outcome
    points: int
    max_points: int
    stages: tuple[StageResult, ...]
    checks: tuple[CheckResult, ...]
    services: tuple[ServiceUse, ...]
    isolation: str
    seed: int
    started: str
    duration_s: float
    labrunner: str
    fault: Fault | None = None
